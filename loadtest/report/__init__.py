"""Verdicts to text: tables, sentences, charts, pages; starts nothing."""
