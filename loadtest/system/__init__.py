"""This machine: processes, CPU time, ports, Docker."""
