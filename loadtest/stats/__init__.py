"""Numbers to numbers."""
