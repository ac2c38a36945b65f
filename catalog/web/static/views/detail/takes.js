// The other takes of a track: made for the same request with other seeds, and its variations.

import { get, trackPath } from "../../lib/api.js";
import { collections } from "../../lib/collections.js";
import { button, fill, h } from "../../lib/dom.js";
import { change, here } from "../../lib/route.js";
import { miniRow } from "../../parts/play.js";
import { section } from "./section.js";

const MOST = 8; // that are compared at once

/** Return a section that lists the takes, the first made first; it stays hidden where there is no other. */
export function takes(track) {
  const list = h("ul", { class: "mini-list", role: "list" });
  const tools = h("span", {});
  const element = section("Takes", tools, list);
  element.hidden = true;
  get(trackPath(track.id, "takes")).then(({ tracks }) => {
    element.hidden = tracks.length < 2;
    if (element.hidden) return;
    fill(tools, button("Compare", async () => (await import("../../parts/compare.js")).compareInDialog(tracks.slice(0, MOST)), { class: "button small" }));
    fill(list, tracks.map((one, at) => lineOf(one, at, track, tracks)));
  }, () => {}); // an extra: without it the rest still holds
  return element;
}

function lineOf(one, at, track, tracks) {
  const line = miniRow(one, tracks);
  const playlist = openPlaylist();
  const holds = (each) => playlist.track_ids.includes(each.id);
  // One of the two is in the playlist in sight: the other can take its place.
  if (playlist && one.id !== track.id && holds(one) !== holds(track)) line.append(swapButton(playlist, one, track, at, holds(one)));
  line.append(h("span", { class: "muted small" }, [at ? `Take ${at + 1}` : "First", one.id === track.id && "open here"].filter(Boolean).join(", ")));
  return line;
}

/** Return the playlist in sight, if there is one. */
function openPlaylist() {
  const { view, params } = here();
  return view === "collection" ? collections.all?.find((one) => one.id === params.get("id") && one.track_ids) : undefined;
}

function swapButton(playlist, one, open, at, held) {
  const [before, after] = held ? [one, open] : [open, one];
  const swap = async () => (await collections.swap(playlist, before, after)) && change({ track: after.id });
  const name = held ? `Replace take ${at + 1} in “${playlist.name}” by the open one` : `Use take ${at + 1} instead in “${playlist.name}”`;
  return button(held ? "Replace" : "Use instead", swap, { class: "button small", title: name, "aria-label": name });
}
