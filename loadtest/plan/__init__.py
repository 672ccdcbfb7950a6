"""From files and words to a plan."""
