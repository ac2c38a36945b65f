"""The click commands, one noun a file."""
