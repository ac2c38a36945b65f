"""The brief that is heard: what is measured in samples, the music that it suggests, and how sure that is."""
