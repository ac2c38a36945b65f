"""The vectors of tracks beside that of their text: how they sound, what they serve, what the ear hears."""
