// What the catalog has saved, at a glance: the share of requests served without making, and the time that took none.

import { get } from "../lib/api.js";
import { connection } from "../lib/connection.js";
import { debounced, fill, h } from "../lib/dom.js";
import { edits } from "../lib/edits.js";
import { percent, span } from "../lib/format.js";

const SOON_MS = 1500; // after the first rows, which it must not delay

/** Return the link in the bar at the top; hidden until something was served from the catalog. */
export function glance() {
  const element = h("a", { class: "glance", href: "#/history", hidden: true });
  const load = debounced(async () => {
    const { hit_rate: share, saved_s: saved, reused } = await get("/statistics").catch(() => ({}));
    element.hidden = !reused;
    if (reused) fill(element, h("strong", {}, percent(share)), " served from the catalog", h("span", { class: "glance-saved" }, h("strong", {}, span(saved)), " saved"));
  }, SOON_MS);
  for (const name of ["made", "served"]) edits.addEventListener(name, load);
  connection.addEventListener("back", load);
  load();
  return element;
}
