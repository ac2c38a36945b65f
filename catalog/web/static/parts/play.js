// Small buttons that play a track, and tracks on one line with such a button.

import { h, icon, setIcon } from "../lib/dom.js";
import { name, nearness, score, title } from "../lib/format.js";
import { player } from "../lib/player/player.js";
import { trackAddress } from "../lib/route.js";

const tracks = new WeakMap(); // button -> its track

/** Return a button that plays `track` and shows whether it plays; `queue()` gives the tracks around it. */
export function playButton(track, queue = () => null) {
  const button = h("button", { type: "button", class: "play-button small", onclick: () => player.toggle(track, { queue: queue() }) }, icon("play"));
  tracks.set(button, track);
  show(button);
  return button;
}

function show(button) {
  const track = tracks.get(button);
  const playing = player.isCurrent(track) && player.playing;
  setIcon(button, playing ? "pause" : "play");
  button.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${title(track)}`);
}

// One listener for all buttons: they come and go with each answer, and nothing tells when one is gone.
player.addEventListener("change", () => {
  for (const button of document.querySelectorAll(".play-button.small")) if (tracks.has(button)) show(button);
});

/** Return a link that opens a track beside the view. */
export function trackLink(id, text, props = {}) {
  return h("a", { ...props, href: trackAddress(id) }, text);
}

/** Return a track on one line, with how near it is; the tracks `among` which it stands are its queue. */
export function miniRow(track, among) {
  const near = track.score ?? track.similarity;
  return h(
    "li",
    { class: "mini" },
    playButton(track, () => queueIn(among, among.indexOf(track))),
    h("div", { class: "mini-text" }, trackLink(track.id, title(track), { class: "mini-title", dir: "auto" }), h("span", { class: "muted mini-style" }, name(track.style))),
    near !== undefined && near !== null && h("span", { class: "mini-score", title: `How near it is: ${score(near)}` }, nearness(near)),
  );
}

function queueIn(tracks, index) {
  return {
    at: async (step) => {
      const next = index + step;
      return tracks[next] ? { track: tracks[next], queue: queueIn(tracks, next) } : null;
    },
  };
}
