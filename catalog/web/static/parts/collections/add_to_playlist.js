// Choose the playlist that tracks are added to, or make one for them.

import { h } from "../../lib/dom.js";
import { collections } from "../../lib/collections.js";
import { plural, title } from "../../lib/format.js";
import { complain } from "../../lib/toast.js";
import { askName } from "./name_dialog.js";

export async function addToPlaylist(tracks) {
  if (!tracks.length) return;
  try {
    await collections.load();
  } catch (error) {
    return complain(error);
  }
  const playlists = collections.all.filter((one) => one.track_ids);
  askName({
    heading: tracks.length === 1 ? `Add “${title(tracks[0])}” to a playlist` : `Add ${plural(tracks.length, "track")} to a playlist`,
    label: "New playlist",
    does: "Create",
    submit: (name) => collections.create(name, tracks),
    above: (close) => playlists.length > 0 && h("ul", { class: "naming-list", role: "list", "aria-label": "Playlists" }, playlists.map((playlist) => h("li", {}, choice(playlist, tracks, close)))),
  });
}

function choice(playlist, tracks, close) {
  const add = () => {
    close();
    collections.add(playlist, tracks);
  };
  return h("button", { type: "button", class: "facet-value", onclick: add }, h("span", { class: "facet-name", dir: "auto" }, playlist.name), h("span", { class: "facet-count" }, plural(playlist.track_ids.length, "track")));
}
