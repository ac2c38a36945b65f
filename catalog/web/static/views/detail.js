// Everything about one track: how it sounds, what is near it, how it was made, and what can be done with it.

import { get, trackPath } from "../lib/api.js";
import { fill, h, icon, iconButton, setIcon } from "../lib/dom.js";
import { edits } from "../lib/edits.js";
import { name } from "../lib/format.js";
import { player } from "../lib/player/player.js";
import { change, here } from "../lib/route.js";
import { complain } from "../lib/toast.js";
import { actions } from "./detail/actions.js";
import { facts } from "./detail/facts.js";
import { labels, rating } from "./detail/labels.js";
import { heading } from "./detail/name.js";
import { PartEditor } from "./detail/part.js";

// Sections that are fetched when the first track is opened.
const LATER = {
  takes: () => import("./detail/takes.js"),
  similar: () => import("./detail/similar.js"),
  marks: () => import("./detail/marks.js"),
  sounds: () => import("./detail/sounds.js"),
  provenance: () => import("./detail/provenance.js"),
};
const sections = {}; // name -> its module, from when it was fetched

/** Return a section of `track`, or a place that it takes once it is fetched. */
function later(name, ...of) {
  if (sections[name]) return sections[name][name](...of);
  const place = h("div", { hidden: true });
  const put = (module) => place.replaceWith((sections[name] = module)[name](...of));
  LATER[name]().then(put).catch(complain);
  return place;
}

export class DetailPanel {
  #element = document.getElementById("detail");
  #track = null;
  #editor = null; // of the waveform
  #play = null; // the button
  #takes = null; // the place of the other takes
  #cameFrom = null; // the element that had the focus before

  constructor() {
    player.addEventListener("change", () => this.#showPlaying());
    edits.addEventListener("edited", ({ detail: track }) => this.#track?.id === track.id && this.#redraw(track));
    edits.addEventListener("made", () => this.open && fill(this.#takes, later("takes", this.#track)));
    for (const name of ["gone", "back"]) {
      edits.addEventListener(name, ({ detail: ids }) => this.#track && ids.includes(this.#track.id) && this.close());
    }
  }

  get open() {
    return !this.#element.hidden;
  }

  /** The track that is shown, null while there is none. */
  get track() {
    return this.open ? this.#track : null;
  }

  /** Show the track of the address, or hide the panel if there is none. */
  async show({ params }) {
    const id = params.get("track");
    if (!id) return this.#hide();
    if (this.#track?.id === id) return;
    if (this.#element.hidden) this.#cameFrom = document.activeElement;
    try {
      const track = await get(trackPath(id));
      if (here().params.get("track") === id) this.#draw(track);
    } catch (error) {
      if (error.shown) return; // asked again when the service answers
      complain(error);
      change({ track: null }, { replace: true });
    }
  }

  close() {
    change({ track: null });
  }

  #hide() {
    if (this.#element.hidden) return;
    this.#editor?.close();
    this.#track = this.#play = null;
    this.#element.hidden = true;
    document.body.classList.remove("has-detail");
    if (this.#cameFrom?.isConnected) this.#cameFrom.focus({ preventScroll: true });
    this.#cameFrom = null;
  }

  #draw(track) {
    const fresh = this.#track?.id !== track.id;
    this.#editor?.close();
    this.#track = track;
    this.#editor = new PartEditor(track);
    this.#play = h("button", { type: "button", class: "play-button large", onclick: () => player.toggle(track, { queue: null }) }, icon("play"));
    this.#showPlaying();
    const body = h(
      "div",
      { class: "detail-body" },
      heading(track),
      h("p", { class: "muted" }, [name(track.style), name(track.role), track.quality].join(" · ")),
      h("div", { class: "detail-wave" }, this.#play, h("div", { class: "wave-stack" }, this.#editor.wave.canvas, later("marks", track, this.#editor.wave))),
      this.#editor.element,
      rating(track),
      facts(track),
      actions(track),
      (this.#takes = h("div", {}, later("takes", track))),
      later("similar", track),
      later("sounds", track),
      labels(track),
      later("provenance", track),
    );
    fill(this.#element, this.#bar(track), body);
    this.#element.hidden = false;
    document.body.classList.add("has-detail");
    this.#editor.wave.show(track);
    if (!fresh) return;
    body.scrollTop = 0;
    if (this.#cameFrom && this.#cameFrom !== document.body) body.querySelector("#detail-title").focus({ preventScroll: true });
  }

  #bar(track) {
    return h(
      "div",
      { class: "detail-bar" },
      h("span", { class: "badge" }, icon("spark"), track.ai_generated ? "AI-generated" : "Recorded"),
      track.state === "trashed" && h("span", { class: "badge" }, "In the trash"),
      h("div", { class: "grow" }),
      iconButton("close", "Close the details", () => this.close()),
    );
  }

  #showPlaying() {
    if (!this.#play) return;
    this.#editor.showPlaying();
    const playing = player.isCurrent(this.#track) && player.playing;
    setIcon(this.#play, playing ? "pause" : "play");
    this.#play.setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  /** Draw a changed track; the scroll position and the focus stay. */
  #redraw(changes) {
    const { scrollTop } = this.#element.querySelector(".detail-body");
    const inside = this.#element.contains(document.activeElement);
    const focused = document.activeElement?.getAttribute?.("aria-label");
    this.#draw({ ...this.#track, ...changes });
    this.#element.querySelector(".detail-body").scrollTop = scrollTop;
    const same = focused && [...this.#element.querySelectorAll("[aria-label]")].find((one) => one.getAttribute("aria-label") === focused);
    if (inside || same) (same || this.#element.querySelector("#detail-title")).focus({ preventScroll: true });
  }
}
