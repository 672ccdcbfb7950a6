"""Several runs over time, as text."""
