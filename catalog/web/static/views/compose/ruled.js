// Tracks that are near in meaning, but that a hard fact rules out whatever their score.

import { get } from "../../lib/api.js";
import { h, icon } from "../../lib/dom.js";
import { name, title } from "../../lib/format.js";
import { plainWords } from "../../lib/language.js";
import { playButton, trackLink } from "../../parts/play.js";
import { unmetFacts } from "./facts.js";

const SHOWN = 4;
const SEARCHED = 12;

/** Return such tracks, each with the requirements it misses, the nearest first. Raises what the API raises. */
export async function ruledOut(decision, request) {
  const { tracks } = await get("/tracks", { q: plainWords(request.features.summary_of_topic), by: "meaning", limit: SEARCHED });
  const compared = new Set(decision.candidates.map((one) => one.track_id));
  return tracks
    .filter((track) => !compared.has(track.id))
    .map((track) => ({ track, unmet: unmetFacts(track, decision.filter) }))
    .filter(({ unmet }) => unmet.length)
    .slice(0, SHOWN);
}

/** Return a heading and a list of tracks that are ruled out; `hand` draws their buttons. */
export function ruledList(ruled, hand) {
  return ruled.length > 0 && [h("h4", {}, "Near in meaning, but ruled out"), h("ul", { role: "list" }, ruled.map((one) => ruledRow(one, hand)))];
}

/** Say that all tracks miss a requirement, and offer the nearest one all the same. */
export function nearestAnyway([{ track, unmet }], hand) {
  return [
    h("p", {}, "The nearest track does not meet the requirements:"),
    h("p", { class: "verdict-track" }, playButton(track), trackLink(track.id, title(track))),
    h("p", { class: "muted small" }, `${unmet.join(". ")}.`),
    hand.controls(track, { label: "Use this one", why: false }),
  ];
}

function ruledRow({ track, unmet }, hand) {
  return h(
    "li",
    { class: "candidate is-ruled" },
    playButton(track),
    h(
      "div",
      { class: "candidate-body" },
      h("p", { class: "candidate-title" }, trackLink(track.id, title(track)), h("span", { class: "muted" }, name(track.style))),
      h("p", { class: "candidate-word" }, icon("refuse"), h("span", {}, unmet.join(". "))),
      hand.controls(track),
    ),
  );
}
