"""What runs in the process of an HTTP client; imports nothing of ours from elsewhere."""
