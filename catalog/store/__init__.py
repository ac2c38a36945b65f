"""Tracks, logs and audio in a home folder."""
