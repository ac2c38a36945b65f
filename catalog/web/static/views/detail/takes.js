// The other takes of a track: made for the same request with other seeds, and its variations.

import { get, trackPath } from "../../lib/api.js";
import { button, fill, h } from "../../lib/dom.js";
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
  line.append(h("span", { class: "muted small" }, [at ? `Take ${at + 1}` : "First", one.id === track.id && "open here"].filter(Boolean).join(", ")));
  return line;
}
