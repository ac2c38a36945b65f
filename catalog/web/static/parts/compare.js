// Tracks side by side: waveform, what each was made for, what was measured, and switching between them at one level.

import { announce, h, icon, setIcon } from "../lib/dom.js";
import { clock, name, number, title } from "../lib/format.js";
import { Comparison } from "../lib/player/comparison.js";
import { trackLink } from "./play.js";
import { Wave } from "./wave.js";

const LETTERS = "ABCDEFGH";

export class Compare {
  #comparison;
  #tracks;
  #plays;
  #waves;
  #position;
  #left = new AbortController();

  /** `onKeep(track)` is called for the track that the reader keeps; without it nothing can be kept. */
  constructor(tracks, { onKeep = null } = {}) {
    this.#tracks = tracks;
    this.#comparison = new Comparison(tracks);
    this.#waves = tracks.map((_, at) => new Wave({ onSeek: (track, fraction) => this.#from(at, fraction * track.duration_s) }));
    this.#plays = tracks.map((_, at) => h("button", { type: "button", class: "button", "aria-pressed": "false", onclick: () => this.#comparison.toggle(at) }, icon("play"), h("span", {}, LETTERS[at])));
    const longest_s = Math.max(...tracks.map((track) => track.duration_s));
    this.#position = h("input", { type: "range", class: "compare-position", min: "0", max: String(longest_s), step: "any", value: "0", "aria-label": "Position", oninput: () => this.#comparison.seek(Number(this.#position.value)) });
    this.element = h("div", { class: "compare" }, h("p", { class: "muted small" }, "All are played equally loud. Switching keeps the position."), this.#position, h("div", { class: "compare-tracks" }, tracks.map((track, at) => this.#column(track, at, onKeep, onKeep ? differing(tracks) : factsOf))));
    this.#comparison.addEventListener("change", () => this.#show());
    this.#comparison.addEventListener("time", () => (this.#position.value = String(this.#comparison.time_s)));
    addEventListener("hashchange", () => this.element.offsetParent || this.#comparison.pause(), { signal: this.#left.signal }); // another view is shown
    this.#show();
    tracks.forEach((track, at) => this.#waves[at].show(track));
  }

  #column(track, at, onKeep, facts) {
    return h(
      "section",
      { class: "compare-track", "aria-label": `${LETTERS[at]}: ${title(track)}` },
      h("div", { class: "compare-head" }, this.#plays[at], onKeep && h("button", { type: "button", class: "button primary", "aria-label": `Keep ${LETTERS[at]}`, onclick: () => onKeep(track) }, icon("check"), h("span", {}, "Keep"))),
      h("h3", { dir: "auto" }, trackLink(track.id, title(track))),
      this.#waves[at].canvas,
      h("dl", { class: "facts" }, facts(track).map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", { dir: "auto" }, text)))),
    );
  }

  /** Play a track from a place that was clicked in its waveform. */
  #from(at, at_s) {
    this.#comparison.seek(at_s);
    if (at !== this.#comparison.index || !this.#comparison.playing) this.#comparison.toggle(at);
  }

  #show() {
    this.#plays.forEach((play, at) => {
      const heard = at === this.#comparison.index && this.#comparison.playing;
      if (heard && play.getAttribute("aria-pressed") === "false") announce(`${LETTERS[at]} plays`);
      play.setAttribute("aria-pressed", String(heard));
      play.setAttribute("aria-label", `${heard ? "Pause" : "Play"} ${LETTERS[at]}`);
      setIcon(play, heard ? "pause" : "play");
    });
  }

  close() {
    this.#left.abort();
    this.#comparison.close();
    for (const wave of this.#waves) wave.close();
  }
}

/** Return a function like `factsOf` that leaves out what all tracks have in common, as takes do. */
function differing(tracks) {
  const [first, ...others] = tracks.map((track) => factsOf(track).map(([, text]) => text));
  return (track) => factsOf(track).filter((_, at) => others.some((texts) => texts[at] !== first[at]));
}

function factsOf(track) {
  return [
    ["Style", name(track.style)],
    ["Role", name(track.role)],
    ["Mood", track.mood_tags.join(", ") || track.tone || "–"],
    ["Place", [name(track.environment), track.time_of_day].filter(Boolean).join(", ") || "–"],
    ["Made for", track.summary || "–"],
    ["Length", clock(track.duration_s)],
    ["Tempo", track.tempo_bpm ? `${number(track.tempo_bpm)} bpm` : "No beat"],
    ["Key", track.musical_key ?? "–"],
    ["Loudness", track.loudness_lufs === null ? "Silent" : `${number(track.loudness_lufs, 1)} LUFS`],
    ["Loop", track.loopable ? "Seamless" : "No"],
    ["Seed", String(track.seed)],
  ];
}

/** Show tracks side by side in a dialog until it is closed. */
export function compareInDialog(tracks) {
  const compare = new Compare(tracks);
  const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
  const dialog = h("dialog", { class: "dialog compare-dialog", "aria-labelledby": "compare-title" }, h("div", { class: "dialog-head" }, h("h2", { id: "compare-title" }, "Side by side"), close), compare.element);
  dialog.addEventListener("click", (event) => (event.target === dialog || event.target.closest("a")) && dialog.close());
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // the keys of the page change what is selected
  dialog.addEventListener("close", () => (compare.close(), dialog.remove()));
  document.body.append(dialog);
  dialog.showModal();
}
