"""The workloads: one declared endpoint for each thing that a server is measured with."""
