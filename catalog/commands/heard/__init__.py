"""What a command lets people hear while it works."""
