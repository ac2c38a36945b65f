// The decision in one sentence: a track will be reused, or one will be made.

import { h, icon } from "../../lib/dom.js";
import { name, why } from "../../lib/format.js";
import { playButton, trackLink } from "../../parts/play.js";

/** Return the card; `near` is the element for the nearest track where all miss a requirement. */
export function verdict(decision, request, track, near) {
  const reuse = decision.action === "reuse";
  const best = decision.candidates.find((one) => one.track_id === decision.track_id) ?? track;
  return h(
    "section",
    { class: `verdict ${reuse ? "is-reuse" : "is-make"}` },
    h("div", { class: "verdict-head" }, icon(reuse ? "check" : "plus"), h("h2", {}, reuse ? "Will reuse this track" : `Will make a new track: ${name(request.style)}`)),
    reuse && best && h("p", { class: "verdict-track" }, playButton({ id: decision.track_id, summary: best.summary, style: best.style }), trackLink(decision.track_id, best.summary)),
    h("p", {}, decision.rule === "no_candidate" ? "No track meets the requirements below." : why(decision.reason)),
    near,
  );
}
