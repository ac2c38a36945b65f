"""MusicService and the stages of one call."""
