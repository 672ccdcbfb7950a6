"""Servers in containers, through `docker compose`."""
