"""Two runs compared, as text."""
