"""Load generators: one module each, which knows its tool's command line and output and no more."""
