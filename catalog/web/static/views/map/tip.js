// The tip beside the track under the pointer.

import { fill, h } from "../../lib/dom.js";
import { name, title } from "../../lib/format.js";

/** Show what a track is called beside its mark, on a map as wide as `width` pixels. */
export function showTip(tip, point, width) {
  fill(tip, h("strong", {}, title(point)), h("span", {}, [name(point.style), point.mood].filter(Boolean).join(" · ")));
  const [x, y] = point.at;
  const right = x > width / 2; // there the tip stands on the left of the track
  tip.style.transform = `translate(${right ? x - 12 : x + 12}px, ${y}px) translate(${right ? "-100%" : "0"}, -50%)`;
}
