"""What charts share: axes, marks and lines, and how they become SVG in pages and in files."""
