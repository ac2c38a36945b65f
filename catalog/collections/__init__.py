"""Collections of a catalog: playlists made by hand and saved searches, one file each in the home."""
