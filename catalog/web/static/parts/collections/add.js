// Add tracks to a playlist. The dialog is fetched when it is first asked for.

export async function addToPlaylist(tracks) {
  (await import("./add_to_playlist.js")).addToPlaylist(tracks);
}
