"""The loop: which trial comes next, recorded as it happens."""
