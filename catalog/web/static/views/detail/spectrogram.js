// The spectrogram, loaded when it is opened; a click plays from there.

import { trackUrl } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { title } from "../../lib/format.js";
import { player } from "../../lib/player/player.js";

export function spectrogram(track) {
  const picture = h("img", { class: "spectrogram", alt: `Spectrogram of ${title(track)}: time from left to right, frequency from low to high`, loading: "lazy" });
  const fold = h("details", { class: "fold" }, h("summary", {}, "Spectrogram"), picture);
  fold.addEventListener("toggle", () => {
    if (fold.open && !picture.src) picture.src = trackUrl(track.id, "spectrogram.png");
  });
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    player.play(track, { queue: null, fraction: (event.clientX - box.left) / box.width });
  });
  return fold;
}
