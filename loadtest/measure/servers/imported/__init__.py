"""A wrk report of others as a run like our own."""
