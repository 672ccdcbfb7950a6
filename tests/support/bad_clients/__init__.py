"""Clients that do not do what they say, each in one way."""
