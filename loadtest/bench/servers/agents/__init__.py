"""Servers on the machine of an agent: `serving` there starts and samples them, `remote` asks it."""
