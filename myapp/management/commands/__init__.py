"""The commands of the project: endpoints, seed and posts."""
