// A story gets music that follows it: give a text, see its parts, hear the whole, download it.

import { get, post } from "../lib/api.js";
import { button, fill, h, options } from "../lib/dom.js";
import { name, plural, when } from "../lib/format.js";
import { isFinal } from "../lib/jobs.js";
import { readable } from "../lib/recording.js";
import { address, change, here } from "../lib/route.js";
import { sendSound } from "../lib/send.js";
import { QUALITIES } from "../lib/vocabulary.js";
import { watched } from "../parts/jobs.js";
import { FILES, partsOf, readStory } from "./story/parts.js";
import { StoryResult } from "./story/result.js";
import { Voices } from "./story/voices.js";

export class StoryView {
  title = "Story";
  #parts = []; // as they were read from the text or the file
  #name = ""; // of the file
  #watching = null; // id of the job whose card is shown
  #text = h("textarea", { class: "context", id: "story-text", rows: "8", placeholder: "The forest lay calm at dawn.\n\nThen the storm broke.", oninput: () => this.#read(partsOf(this.#text.value)) });
  #file = h("input", { type: "file", accept: FILES, "aria-label": "Story file", onchange: () => this.#open() });
  #count = h("p", { class: "muted small", role: "status" });
  #quality = h("select", { class: "select" }, options(QUALITIES.map((one) => [one, name(one)])));
  #narrator = h("select", { class: "select" });
  #narratorField = h("label", { class: "field", hidden: true }, h("span", {}, "Narrator"), this.#narrator);
  #voices = new Voices({ onProblem: (problem) => this.#tell(problem) });
  #problem = h("p", { class: "field-problem", role: "alert" });
  #make = button("Make the music", () => this.#start(), { class: "button primary" });
  #job = h("div", { class: "outcome", "aria-live": "polite" });
  #result = new StoryResult();
  #earlier = h("section", { "aria-label": "Earlier stories" });
  element = h(
    "div",
    { class: "view scene story" },
    h(
      "div",
      { class: "page" },
      h("header", { class: "page-head" }, h("h1", {}, "Story"), h("p", { class: "muted" }, "Music that follows a text from scene to scene, and comes back where a place and its mood do.")),
      h("h2", {}, h("label", { for: "story-text" }, "Text")),
      this.#text,
      h("p", { class: "muted hint" }, "An empty line begins a new part. Or open a text file:"),
      this.#file,
      this.#count,
      h("details", { class: "fold overrides" }, h("summary", {}, "Options"), h("div", { class: "fields" }, h("label", { class: "field" }, h("span", {}, "Quality"), this.#quality), this.#narratorField)),
      this.#voices.element,
      this.#problem,
      h("div", { class: "actions" }, this.#make),
      this.#job,
      this.#result.element,
      this.#earlier,
    ),
  );

  constructor() {
    this.#quality.value = "standard";
    this.#read([]);
  }

  async show({ params }) {
    this.#list();
    const [id, job] = [params.get("id"), params.get("job")];
    try {
      if (id) await this.#result.load(id);
      else if (job) await this.#resume(job);
    } catch (error) {
      if (!error.shown) this.#tell(error.status === 404 ? "This story is no longer kept. Give its text again." : error.message);
    }
  }

  hide() {
    this.#voices.stop();
  }

  focusSearch() {
    this.#text.focus();
  }

  #tell(problem) {
    this.#problem.textContent = problem;
  }

  /** Take over what a story is made of. */
  #read(parts) {
    this.#parts = parts;
    this.#count.textContent = parts.length ? plural(parts.length, "part") : "";
    this.#voices.show(parts);
    this.#tell("");
  }

  async #open() {
    const [file] = this.#file.files;
    if (!file) return;
    try {
      const story = await readStory(file);
      this.#text.value = story.text;
      this.#name = story.title;
      this.#read(story.parts);
    } catch (error) {
      this.#tell(error.message);
    }
  }

  async #list() {
    const { stories, narrators } = await get("/stories").catch(() => ({ stories: [], narrators: [] }));
    const chosen = this.#narrator.value;
    fill(this.#narrator, options([["", "Nobody"], ...narrators.map((one) => [one, one])]));
    if (narrators.includes(chosen)) this.#narrator.value = chosen;
    this.#narratorField.hidden = !narrators.length;
    const link = (story) => h("li", {}, h("a", { href: address("story", new URLSearchParams({ id: story.id })), dir: "auto" }, story.title), " ", h("span", { class: "muted small" }, when(story.created_at)));
    fill(this.#earlier, stories.length > 0 && [h("h2", {}, "Earlier stories"), h("ul", { class: "story-list", role: "list" }, stories.map(link))]);
  }

  async #start() {
    if (!this.#parts.length) return this.#tell("Give the text of a story first."), this.#text.focus();
    this.#tell("");
    this.#make.disabled = true;
    try {
      const parts = await this.#voices.sent(this.#parts, async (file) => (await sendSound("/stories/recordings", await readable(file))).recording);
      const body = { parts, title: this.#name, quality: this.#quality.value, ...(this.#narrator.value && { narrator: this.#narrator.value }) };
      const { job } = (await post("/stories", body)).data;
      this.#result.clear();
      change({ job: job.id, id: null }, { view: "story", replace: true });
      await this.#follow(job);
    } catch (error) {
      this.#tell(error.message);
    }
    this.#make.disabled = false;
  }

  /** Go on with a story that was being made when the page was opened. */
  async #resume(id) {
    if (this.#watching === id) return;
    const job = await get(`/jobs/${encodeURIComponent(id)}`);
    if (isFinal(job)) await this.#over(job);
    else await this.#follow(job);
  }

  async #follow(job) {
    if (this.#watching === job.id) return;
    this.#watching = job.id;
    const over = await watched(job, this.#job);
    this.#watching = null;
    await this.#over(over);
  }

  async #over({ id, state, outcome }) {
    if (state !== "done") return; // the card says why
    fill(this.#job);
    await this.#result.load(outcome.story);
    this.#list();
    if (here().params.get("job") === id) change({ id: outcome.story, job: null }, { replace: true });
  }
}
