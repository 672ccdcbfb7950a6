"""HTTP clients measured."""
