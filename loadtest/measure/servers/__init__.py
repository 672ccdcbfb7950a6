"""Servers measured."""
