// Any other track of the catalog: the reader names it, and may use it for the text or ask why not.

import { get } from "../../lib/api.js";
import { debounced, fill, h, icon } from "../../lib/dom.js";
import { name, title } from "../../lib/format.js";
import { plainWords } from "../../lib/language.js";
import { playButton, trackLink } from "../../parts/play.js";

const TYPING_MS = 250;
const SHOWN = 5;

/** Return the card with a search for any track; `hand` draws the buttons of each. */
export function otherTrack(hand) {
  const list = h("ul", { role: "list", class: "candidates" });
  const look = debounced(async () => {
    const q = plainWords(field.value);
    if (!q) return fill(list);
    try {
      const { tracks } = await get("/tracks", { q, limit: SHOWN });
      if (q !== plainWords(field.value)) return;
      fill(list, tracks.length ? tracks.map((track) => row(track, hand)) : h("li", { class: "muted" }, "No track matches."));
    } catch (error) {
      fill(list, h("li", { class: "muted" }, error.message));
    }
  }, TYPING_MS);
  const field = h("input", { type: "search", class: "search-input", placeholder: "Search the catalog", "aria-label": "Search for another track", oninput: look });
  return h("section", { class: "card" }, h("div", { class: "section-head" }, h("h3", {}, "Another track in mind?")), h("div", { class: "search" }, icon("search"), field), list);
}

function row(track, hand) {
  return h(
    "li",
    { class: "candidate" },
    playButton(track),
    h("div", { class: "candidate-body" }, h("p", { class: "candidate-title" }, trackLink(track.id, title(track)), h("span", { class: "muted" }, name(track.style))), hand.controls(track)),
  );
}
