// What plays next, in a list above the player.

import { fill, h, iconButton } from "../lib/dom.js";
import { clock, title } from "../lib/format.js";
import { player } from "../lib/player/player.js";
import { playButton, trackLink } from "./play.js";

const SHOWN = 20;

/** Return {button, panel}: the button opens and closes the list. */
export function queuePanel() {
  const list = h("ol", { class: "mini-list", role: "list" });
  const note = h("p", { class: "muted" });
  const panel = h("section", { class: "queue", id: "queue", "aria-label": "Queue", hidden: true }, h("h2", {}, "Up next"), note, list);
  const button = iconButton("queue", "Queue", () => open(panel.hidden), { class: "icon-button bar-queue", "aria-expanded": "false", "aria-controls": "queue" });
  let shown = null; // the queue whose tracks are listed
  async function show() {
    const { queue } = player;
    note.textContent = player.repeats ? "Repeat is on: this track plays again." : "";
    note.hidden = !note.textContent;
    if (shown === queue) return;
    shown = queue;
    const next = await player.upcoming(SHOWN + 1);
    if (shown !== queue) return;
    const lines = next.slice(0, SHOWN).map(line);
    if (!next.length) lines.push(h("li", { class: "muted" }, "Nothing comes after this track."));
    if (next.length > SHOWN) lines.push(h("li", { class: "muted" }, "And more."));
    fill(list, lines);
  }
  function open(on) {
    panel.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
    shown = null;
    if (on) show();
  }
  player.addEventListener("change", () => panel.hidden || show());
  return { button, panel };
}

function line({ track, queue }) {
  return h("li", { class: "mini" }, playButton(track, () => queue), h("div", { class: "mini-text" }, trackLink(track.id, title(track), { class: "mini-title", dir: "auto" })), h("span", { class: "muted numbers" }, clock(track.duration_s)));
}
