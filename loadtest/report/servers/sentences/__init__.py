"""The answer in words: the same sentences in every format, which only decorates the names."""
