"""Durable files, locks, and a Lance table whose commits survive; the one door to lancedb."""
