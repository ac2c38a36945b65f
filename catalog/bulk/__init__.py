"""The same work on many texts or tracks at once, by this process or by workers of a cluster."""
