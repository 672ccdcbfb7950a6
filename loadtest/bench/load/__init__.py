"""The load generator, and its own ceiling."""
