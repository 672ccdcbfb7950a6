"""Servers of the project under test, and the services that they need."""
