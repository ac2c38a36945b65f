// The nearest tracks: how well each fits, and why it is or is not reused.

import { fill, h, icon, svg } from "../../lib/dom.js";
import { name, percent, plural, sentence } from "../../lib/format.js";
import { playButton, trackLink } from "../../parts/play.js";
import { alike, matchOf } from "./alike.js";
import { hardFacts, ruledOutCounts } from "./facts.js";

const SHOWN = 5; // candidates before a click shows the rest

/** Return the card of candidates; `others` is the element for the tracks that no score could help, `hand` draws buttons. */
export function candidates(decision, request, others, hand) {
  // The one that is served comes first, then those that serve best.
  const tracks = [...decision.candidates].sort((a, b) => (b.track_id === decision.track_id) - (a.track_id === decision.track_id));
  const counts = ruledOutCounts(decision);
  const list = h("ol", { class: "candidates", role: "list" }, tracks.slice(0, SHOWN).map((one) => candidate(one, decision, hand)));
  const more = h("button", { type: "button", class: "link", onclick: () => (fill(list, tracks.map((one) => candidate(one, decision, hand))), more.remove()) }, `Show all ${tracks.length}`);
  return h(
    "section",
    { class: "card" },
    h("div", { class: "section-head" }, h("h3", {}, "Nearest tracks"), tracks.length > 0 && h("p", { class: "muted" }, plural(decision.considered, "track") + " in the catalog")),
    decision.rule === "exact" && h("p", { class: "muted small" }, "A repeat is served as before, without comparing. The figures tell how near the tracks would be to a new request."),
    tracks.length ? list : h("p", {}, `None of ${plural(decision.considered, "track")} meets the requirements.`),
    tracks.length > SHOWN && more,
    h("p", { class: "muted small facts-line" }, `Requirements: ${hardFacts(decision, request)}.`),
    counts && h("p", { class: "muted small" }, `Ruled out: ${counts}.`),
    others,
  );
}

function candidate(one, decision, hand) {
  const measure = measureOf(one, decision);
  const [state, picture, word] = stateOf(one, decision, measure);
  return h(
    "li",
    { class: `candidate is-${state}` },
    playButton({ id: one.track_id, summary: one.summary, style: one.style }),
    h(
      "div",
      { class: "candidate-body" },
      h("p", { class: "candidate-title" }, trackLink(one.track_id, one.summary), h("span", { class: "muted" }, name(one.style))),
      h("div", { class: "candidate-score" }, meter(measure.value, one.needed ?? decision.threshold), h("span", { class: "numbers" }, measure.text)),
      h("p", { class: "candidate-word" }, icon(picture), word),
      h("p", { class: "muted small" }, measure.reason),
      one.against.length > 0 && h("p", { class: "muted small" }, sentence(one.against.join("; "))),
      state !== "chosen" && hand.controls({ id: one.track_id, summary: one.summary }, { label: state === "also" ? "Use this one" : "Use this anyway" }),
    ),
  );
}

/** Return true when no threshold is certified, so that nothing but a repeat is reused. */
const hasNoThreshold = (decision) => decision.rule === "uncertified" || decision.threshold >= 1;

/** Return what a candidate is measured by: the chance that its music serves, that its scene is the same, or its score. */
function measureOf(one, decision) {
  const needed = decision.threshold;
  const open = hasNoThreshold(decision);
  if (one.passes !== null && one.passes === one.worth) {
    return {
      value: one.passes,
      text: `${percent(one.passes)}, ${percent(one.needed)} needed`,
      lack: "Its music is not likely enough to serve this text",
      reason: sentence(one.sounds),
    };
  }
  if (decision.certificate && one.probability !== null) {
    return {
      value: one.probability,
      text: open ? percent(one.probability) : `${percent(one.probability)}, ${percent(needed)} needed`,
      lack: "Not likely enough to fit",
      reason: alike(one),
    };
  }
  return {
    value: one.score,
    text: open ? percent(one.score) : `${percent(one.score)}, ${percent(needed)} needed`,
    lack: "Not near enough",
    reason: matchOf(one),
  };
}

function stateOf(one, decision, measure) {
  if (one.track_id === decision.track_id) return ["chosen", "check", "Reused"];
  if (one.refused) return ["refused", "refuse", "Refused: the mood differs too much"];
  if (one.admissible && decision.rule === "growth") return ["also", "check", "Would do; for variety another is made"];
  if (one.admissible && decision.rule === "music") return ["also", "check", "Would do as well; another was drawn"];
  if (one.admissible) return ["also", "check", "Would do; another is nearer"];
  if (hasNoThreshold(decision)) return ["below", "below", "Not reused: so far only repeats are"];
  return ["below", "below", measure.lack];
}

/** Return a bar from 0 to 1, with a mark where it would be enough. */
function meter(value, needed) {
  const bar = (cls, x, y, width, height) => svg("rect", { class: cls, x, y, width, height });
  return svg(
    "svg",
    { class: "meter", "aria-hidden": "true" },
    bar("meter-rest", "0", "4", "100%", "6"),
    bar("meter-have", "0", "4", `${Math.max(0, Math.min(1, value)) * 100}%`, "6"),
    needed > 0 && needed < 1 && bar("meter-need", `${needed * 100}%`, "0", "2", "14"),
  );
}
