"""The command that takes in music which others made."""
