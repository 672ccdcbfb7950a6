"""The tool measured by itself: what it costs, what it can tell apart, how its reports grow."""
