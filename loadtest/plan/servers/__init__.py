"""Servers: matrices, profiles, the project under test."""
