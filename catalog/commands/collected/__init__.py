"""The commands about playlists and saved searches."""
