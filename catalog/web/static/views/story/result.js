// A story with its music: to hear, with what plays when and why, and to download.

import { get } from "../../lib/api.js";
import { fill, h, icon } from "../../lib/dom.js";
import { clock, name, plural, why } from "../../lib/format.js";
import { player } from "../../lib/player/player.js";
import { playButton, trackLink } from "../../parts/play.js";
import { plot } from "./plot.js";
import { sceneName, themeOf } from "./scenes.js";

export class StoryResult {
  element = h("section", { class: "outcome", "aria-label": "Result" });
  id = null;
  #audio = h("audio", { controls: true, preload: "metadata", "aria-label": "The story with its music" });
  #onTime = () => {};

  constructor() {
    // One sound at a time.
    this.#audio.addEventListener("play", () => player.pause());
    player.addEventListener("change", () => player.playing && this.#audio.pause());
    this.#audio.addEventListener("timeupdate", () => this.#onTime(this.#audio.currentTime));
  }

  /** Show a story by its id. Raises Problem, as where it is gone. */
  async load(id) {
    if (id === this.id) return;
    const story = await get(`/stories/${encodeURIComponent(id)}`);
    this.id = id;
    this.#show(story);
  }

  clear() {
    this.id = null;
    this.#audio.pause();
    fill(this.element);
  }

  #show(story) {
    const seek = (seconds) => {
      this.#audio.currentTime = seconds;
      this.#audio.play().catch(() => {});
    };
    const drawn = plot(story, seek);
    const rows = story.moments.map((moment) => part(moment, seek));
    this.#audio.src = url(story, "mix");
    this.#onTime = (at_s) => {
      drawn.moveTo(at_s);
      story.moments.forEach((one, at) => rows[at].toggleAttribute("data-now", at_s >= one.start_s && at_s < one.end_s + 0.7));
    };
    fill(
      this.element,
      h("h2", { dir: "auto" }, story.title),
      h("p", { class: "muted" }, `${clock(story.duration_s)}, ${plural(story.scenes.length, "scene")}, ${plural(story.themes, "theme")}`),
      this.#audio,
      drawn.element,
      downloads(story),
      story.warnings.filter((warning) => !warning.startsWith("duration_s")).map((warning) => h("p", { class: "warning" }, icon("warning"), why(warning))),
      story.scenes.map((scene) => sceneOf(story, scene, rows)),
    );
  }
}

const url = (story, file, download = false) => `api/stories/${story.id}/${file}${download ? "?download=true" : ""}`;

function downloads(story) {
  const link = (file, text) => h("a", { class: "button", href: url(story, file, true), download: "" }, icon("download"), h("span", {}, text));
  const stems = story.spoken ? [link("voice", "Voice alone"), link("music", "Music alone")] : [];
  return h("div", { class: "actions" }, link("mix", "Download the whole"), stems, link("subtitles", "Subtitles"), link("plot", "Plot"));
}

function sceneOf(story, scene, rows) {
  const first = story.scenes.find((one) => one.theme === scene.theme);
  const track = { id: scene.track_id, title: scene.title, style: scene.style };
  const how = first !== scene ? `as in scene ${first.scene}` : scene.action === "generated" ? "made for it" : "from the catalog";
  return h(
    "section",
    { class: "story-scene" },
    h("h3", {}, h("span", { class: `theme-mark theme-${themeOf(story, scene)}`, "aria-hidden": "true" }), sceneName(story, scene)),
    h("div", { class: "mini" }, playButton(track), h("div", { class: "mini-text" }, trackLink(track.id, track.title, { class: "mini-title", dir: "auto" }), h("span", { class: "muted mini-style" }, `${name(scene.style)}, ${how}`))),
    h("ol", { class: "story-parts", role: "list" }, rows.filter((_, at) => story.moments[at].scene === scene.scene)),
  );
}

function part(moment, seek) {
  return h(
    "li",
    {},
    h("button", { type: "button", class: "link numbers", "aria-label": `Play from ${clock(moment.start_s)}`, onclick: () => seek(moment.start_s) }, clock(moment.start_s)),
    h("p", { dir: "auto" }, moment.text),
    h("span", { class: "muted small" }, moment.mood_tags.join(", ")),
  );
}
