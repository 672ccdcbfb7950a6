"""Load every endpoint of one Django app under every server, and say what follows from it."""
