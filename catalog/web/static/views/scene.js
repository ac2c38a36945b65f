// A voice over music: send or record it, choose the music or describe it, hear the mix and download it.

import { get, post, trackPath } from "../lib/api.js";
import { announce, button, fill, h } from "../lib/dom.js";
import { title } from "../lib/format.js";
import { errorOf } from "../lib/jobs.js";
import { player } from "../lib/player/player.js";
import { change, here } from "../lib/route.js";
import { watched } from "../parts/jobs.js";
import { playButton } from "../parts/play.js";
import { Voice } from "../parts/voice.js";
import { MixResult } from "./scene/result.js";
import { fetchMix, sendToMix } from "./scene/sound.js";

export class SceneView {
  title = "Scene";
  #bed = null; // the track under the voice
  #mixing = null; // AbortController of the mix that is on its way
  #voice = new Voice({ id: "scene-voice", onProblem: (problem) => this.#tell(problem) });
  #text = h("textarea", { class: "context", id: "scene-text", rows: "3", maxlength: "20000", placeholder: "The forest lay calm at dawn." });
  #find = button("Find or make the music", () => this.#findBed(), { icon: "spark" });
  #current = button("Use the track in the player", () => change({ bed: player.track.id }, { replace: true }));
  #chosen = h("div", { class: "outcome", "aria-live": "polite" });
  #problem = h("p", { class: "field-problem", role: "alert" });
  #mix = button("Mix", () => this.#start(), { class: "button primary" });
  #cancel = button("Cancel", () => this.#mixing?.abort(), { hidden: true });
  #busy = h("progress", { class: "progress", "aria-label": "Sending the recording", hidden: true });
  #made = h("div", { class: "outcome", "aria-live": "polite" });
  #result = new MixResult();
  element = h(
    "div",
    { class: "view scene" },
    h(
      "div",
      { class: "page" },
      h("header", { class: "page-head" }, h("h1", {}, "Scene"), h("p", { class: "muted" }, "Music under a voice. It plays softer while somebody speaks.")),
      h("h2", {}, h("label", { for: "scene-voice" }, "Voice recording")),
      this.#voice.element,
      h("p", { class: "muted hint" }, "WAV, FLAC or OGG, or what your browser plays, such as MP3. It is not kept."),
      h("h2", {}, h("label", { for: "scene-text" }, "Music")),
      this.#text,
      h("div", { class: "actions" }, this.#find, this.#current),
      this.#chosen,
      this.#problem,
      h("div", { class: "actions" }, this.#mix, this.#cancel),
      this.#busy,
      this.#made,
      this.#result.element,
    ),
  );

  constructor() {
    const showCurrent = () => (this.#current.disabled = !player.track);
    player.addEventListener("change", showCurrent);
    showCurrent();
  }

  async show({ params }) {
    const id = params.get("bed");
    if (!id || id === this.#bed?.id) return;
    try {
      const track = await get(trackPath(id));
      if (here().params.get("bed") === id) this.#choose(track);
    } catch (error) {
      this.#tell(error.message);
    }
  }

  hide() {
    this.#voice.stop();
  }

  focusSearch() {
    this.#text.focus();
  }

  #tell(problem) {
    this.#problem.textContent = problem;
  }

  #choose(track) {
    this.#bed = track;
    this.#tell("");
    fill(this.#chosen, h("div", { class: "served" }, playButton(track), h("p", { class: "served-title" }, h("strong", {}, "Music: "), title(track))));
    if (here().view === "scene") change({ bed: track.id }, { replace: true });
  }

  /** Find a loop for the described scene, or have one made. */
  async #findBed() {
    if (!this.#text.value.trim()) {
      this.#tell("Describe the scene first.");
      return this.#text.focus();
    }
    this.#tell("");
    this.#find.disabled = true;
    try {
      const { status, data } = await post("/find-or-make", { context: this.#text.value, loopable: true, role: "narration_bed" });
      if (status === 202) this.#follow(data.job);
      else this.#choose(data.result.track);
    } catch (error) {
      this.#tell(error.message);
    }
    this.#find.disabled = false;
  }

  async #follow(job) {
    const end = watched(job, this.#chosen);
    const card = this.#chosen.firstChild;
    const over = await end;
    if (over.state === "done" && card.isConnected) this.#choose(over.result.track); // else another was chosen meanwhile
  }

  async #start() {
    const { file } = this.#voice;
    if (!file) return this.#tell("Choose or record a voice first."), this.#voice.focus();
    if (!this.#bed) return this.#tell("Choose the music first: describe the scene, or use the track in the player."), this.#text.focus();
    this.#tell("");
    const mine = (this.#mixing = new AbortController());
    this.#setBusy(true);
    announce("Mixing");
    try {
      const bed = this.#bed;
      const job = await sendToMix(file, bed, mine.signal);
      this.#cancel.hidden = this.#busy.hidden = true; // the card of the job has its own
      const over = await watched(job, this.#made);
      fill(this.#made);
      if (over.state === "done") this.#result.show(await fetchMix(over, file), bed);
      else if (over.state === "failed") this.#tell(errorOf(over));
    } catch (error) {
      if (error.name !== "AbortError") this.#tell(error.message);
      else announce("Cancelled");
    }
    this.#setBusy(false);
  }

  #setBusy(on) {
    this.#mix.disabled = on;
    this.#cancel.hidden = this.#busy.hidden = !on;
    if (!on) this.#mix.focus({ preventScroll: true });
  }
}
