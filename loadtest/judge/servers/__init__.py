"""Servers judged."""
