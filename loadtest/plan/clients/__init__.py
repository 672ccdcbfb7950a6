"""HTTP clients: presets, typed rows, the Pythons that run them."""

PERMISSION = "--i-may-load-this-host"
"""The option without which nobody's host is asked that is not near."""
