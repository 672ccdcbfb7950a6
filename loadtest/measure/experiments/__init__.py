"""Which trials come next: an experiment a module."""
