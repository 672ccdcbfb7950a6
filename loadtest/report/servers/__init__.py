"""A run of servers as text."""
