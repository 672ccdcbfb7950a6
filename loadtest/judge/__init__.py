"""Stored facts to rows, verdicts, ranks and comparisons; pure: no clock, no process."""
