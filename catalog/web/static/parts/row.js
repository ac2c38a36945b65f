// One track in the list of tracks.

import { fill, h, icon, iconButton, setIcon } from "../lib/dom.js";
import { clock, name, nearness, score, stars, title } from "../lib/format.js";
import { player } from "../lib/player/player.js";
import { trackAddress } from "../lib/route.js";
import { tagButton } from "./tag.js";
import { Wave } from "./wave.js";

/** A row for `Rows`. `list` knows the queue, the selection and the open track. */
export class TrackRow {
  #list;
  #track = null;
  #index = 0;
  #wave = new Wave({ onSeek: (track, fraction) => player.play(track, { queue: this.#queue(), fraction }) });
  #check = h("input", { type: "checkbox", class: "check", onclick: (event) => this.#list.onSelect(this.#index, this.#track, event) });
  #play = h("button", { type: "button", class: "play-button", onclick: () => player.toggle(this.#track, { queue: this.#queue() }) }, icon("play"));
  #link = h("a", { class: "row-title", dir: "auto", onclick: (event) => this.#follow(event) });
  #takes = h("button", { type: "button", class: "row-takes", hidden: true, onclick: () => this.#list.onUnfold(this.#index) });
  #sub = h("p", { class: "row-sub" });
  #marks = h("span", { class: "row-marks" });
  #tempo = h("span", { class: "row-tempo" });
  #length = h("span", { class: "row-length" });
  #rating = h("span", { class: "row-rating" });
  #match = h("span", { class: "row-score" });
  #add = iconButton("plus", "Add to a list", () => this.#list.onAdd(this.#track), { class: "icon-button row-act" });
  #playing = () => this.#showPlaying();
  element = h(
    "li",
    { class: "row", onclick: (event) => this.#click(event) },
    h("label", { class: "row-check" }, this.#check),
    this.#play,
    h("div", { class: "row-text" }, h("div", { class: "row-head" }, this.#link, this.#takes, this.#marks), this.#sub),
    this.#wave.canvas,
    h("div", { class: "row-facts" }, this.#match, this.#rating, this.#tempo, this.#length),
  );

  constructor(list) {
    this.#list = list;
    if (list.onAdd) this.element.append(this.#add);
    player.addEventListener("change", this.#playing);
  }

  get track() {
    return this.#track;
  }

  /** Show a track, or an empty row while its page is on the way; `current` rows take part in tabbing. */
  show(track, index, current) {
    const same = this.#track === track; // then its elements stay: a click may be on its way to one
    this.#track = track;
    this.#index = index;
    this.element.classList.toggle("is-waiting", !track);
    this.element.classList.toggle("is-current", current);
    for (const control of [this.#check, this.#play, this.#link, this.#takes, this.#add]) control.tabIndex = current ? 0 : -1;
    for (const control of [this.#check, this.#play, this.#add]) control.disabled = !track;
    this.#wave.show(track);
    this.#showPlaying();
    if (track) {
      this.#link.href = trackAddress(track.id);
      if (!same) this.#showText(track);
      this.#showFacts(track);
      this.#showSelection(track);
    } else this.#empty();
    this.#showTakes(track);
    for (const tag of this.#sub.children) tag.tabIndex = current ? 0 : -1;
  }

  focus() {
    this.#link.focus({ preventScroll: true });
  }

  close() {
    player.removeEventListener("change", this.#playing);
    this.#wave.close();
  }

  #queue() {
    return this.#list.queue(this.#index);
  }

  #click(event) {
    if (this.#track && !event.target.closest("a, button, input, label, canvas")) this.#list.onOpen(this.#track, this.#index);
  }

  /** Open the track beside the list; with a modifier key the browser opens the link its own way. */
  #follow(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (this.#track) this.#list.onOpen(this.#track, this.#index);
  }

  #showPlaying() {
    const current = player.isCurrent(this.#track);
    const playing = current && player.playing;
    this.element.classList.toggle("is-playing", current);
    setIcon(this.#play, playing ? "pause" : "play");
    this.#play.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${this.#track ? title(this.#track) : ""}`);
  }

  #empty() {
    for (const place of [this.#link, this.#sub, this.#marks, this.#tempo, this.#length, this.#rating, this.#match]) place.textContent = "";
  }

  #showText(track) {
    const words = [name(track.style), name(track.role), (track.mood_tags ?? []).join(", ")].filter(Boolean);
    this.#link.textContent = title(track);
    fill(this.#sub, words.join(" · "), (track.tags ?? []).map((tag) => [" · ", tagButton(tag)]));
    this.#marks.textContent = [track.loopable && "loop", track.variant_of && "variation"].filter(Boolean).join(" · ");
  }

  #showTakes(track) {
    this.#takes.hidden = !track?.folds;
    this.element.classList.toggle("is-take", Boolean(track?.isTake));
    if (this.#takes.hidden) return;
    this.#takes.textContent = `${track.folds + 1} takes`;
    this.#takes.setAttribute("aria-expanded", String(track.isOpen));
    this.#takes.setAttribute("aria-label", `${track.folds + 1} takes of ${title(track)}`);
  }

  #showFacts(track) {
    this.#tempo.textContent = track.tempo_bpm ? `${Math.round(track.tempo_bpm)} bpm` : "";
    this.#length.textContent = track.duration_s ? clock(track.duration_s) : "";
    this.#rating.textContent = stars(track.rating);
    this.#rating.setAttribute("aria-label", track.rating ? `rated ${track.rating} of 5` : "");
    if (track.rating) this.#rating.setAttribute("role", "img");
    else this.#rating.removeAttribute("role");
    const scored = track.score !== undefined && track.score !== null;
    this.#match.textContent = scored ? nearness(track.score) : "";
    this.#match.title = scored ? `How near it is to the search: ${score(track.score)}` : "";
  }

  #showSelection(track) {
    this.#check.checked = this.#list.isSelected(track.id);
    this.#check.setAttribute("aria-label", `Select ${title(track)}`);
    this.element.classList.toggle("is-selected", this.#check.checked);
    this.element.classList.toggle("is-open", this.#list.isOpen(track.id));
  }
}
