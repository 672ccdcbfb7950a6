"""HTTP clients: presets, typed rows, the Pythons that run them."""
