"""What every Markdown report is made of."""
