"""What a person types, and what they see while it runs."""
