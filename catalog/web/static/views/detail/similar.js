// Tracks like this one, by their text or by their sound.

import { get, trackPath } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { miniRow } from "../../parts/play.js";
import { section } from "./section.js";

const SHOWN = 6;

export function similar(track) {
  const list = h("ul", { class: "mini-list", role: "list" });
  const way = (by, text) => h("button", { type: "button", "aria-pressed": "false", data: { by }, onclick: () => load(by) }, text);
  const ways = h("div", { class: "segmented", role: "group", "aria-label": "Similar by" }, way("text", "Text"), way("sound", "Sound"));
  let latest; // the click that counts: the answer to an earlier one may come later
  async function load(by) {
    const mine = (latest = {});
    for (const one of ways.children) one.setAttribute("aria-pressed", String(one.dataset.by === by));
    list.setAttribute("aria-busy", "true");
    const lines = await linesOf(track, by);
    if (mine !== latest) return;
    fill(list, lines);
    list.removeAttribute("aria-busy");
  }
  load("text");
  return section("Similar tracks", ways, list);
}

/** Return a line for each similar track, or one line that says why there is none. */
async function linesOf(track, by) {
  try {
    const { tracks, note } = await get(trackPath(track.id, "similar"), { by, limit: SHOWN });
    return tracks.length ? tracks.map((one) => miniRow(one, tracks)) : h("li", { class: "muted" }, note || noneText(by));
  } catch (error) {
    return h("li", { class: "muted" }, error.message);
  }
}

function noneText(by) {
  return by === "sound" ? "No other track has been compared by sound yet." : "Nothing else is in the catalog yet.";
}
