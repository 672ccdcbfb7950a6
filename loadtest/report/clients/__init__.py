"""A run of HTTP clients as text."""
