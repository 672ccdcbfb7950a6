"""HTTP clients, each in a process of its own, and the upstream that answers them."""
