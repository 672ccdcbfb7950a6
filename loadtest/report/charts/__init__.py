"""What charts share: how they look, and how they become SVG."""
