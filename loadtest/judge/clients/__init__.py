"""HTTP clients judged."""
