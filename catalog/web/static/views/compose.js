// Paste a context; see what was read in it, which tracks fit and why others do not; have one made.

import { post } from "../lib/api.js";
import { debounced, fill, h } from "../lib/dom.js";
import { edits, served } from "../lib/edits.js";
import { ByHand } from "./compose/by_hand.js";
import { candidates } from "./compose/candidates.js";
import { chosen, suggestStyles } from "./compose/chosen.js";
import { ContextForm } from "./compose/form.js";
import { Outcome } from "./compose/outcome.js";
import { otherTrack } from "./compose/other.js";
import { nearestAnyway, ruledList, ruledOut } from "./compose/ruled.js";
import { Takes } from "./compose/takes.js";
import { understood } from "./compose/understood.js";
import { verdict } from "./compose/verdict.js";

const PAUSE_MS = 700;

export class ComposeView {
  title = "Compose";
  #running = null; // AbortController of the look-up that is on its way
  #shownFor = ""; // the request that is explained, as JSON
  #stale = true; // the last look-up got no answer, or the catalog has changed since
  #soon = debounced(() => this.#look(), PAUSE_MS);
  #form = new ContextForm({ onInput: () => this.#soon(), onChange: () => this.#look(), onMake: (reuse) => this.#make(reuse) });
  #outcome = new Outcome({ onChanged: () => this.#lookAgain() });
  #hand = new ByHand({ request: () => this.#form.request(), onServed: (result) => this.#served(result, "Chosen"), onChanged: () => this.#lookAgain() });
  #other = otherTrack(this.#hand);
  #takes = new Takes({ onKept: (track) => this.#outcome.show({ track, action: "generated", reason: "The other takes are in the trash." }, "Kept") });
  #reading = h("div", { class: "reading" }, intro());
  element = h(
    "div",
    { class: "view compose" },
    h(
      "div",
      { class: "page" },
      h("header", { class: "page-head" }, h("h1", {}, "Compose"), h("p", { class: "muted" }, "New music is made only when nothing fits.")),
      h("div", { class: "compose-grid" }, h("div", { class: "compose-ask" }, this.#form.elements, this.#outcome.element, this.#takes.element, this.#form.options), this.#reading),
    ),
  );

  constructor() {
    for (const name of ["made", "gone", "back"]) {
      edits.addEventListener(name, () => {
        this.#stale = true;
        if (!this.element.hidden) this.#lookAgain();
      });
    }
  }

  show({ params }) {
    if (params.get("text")) this.#form.offer(Object.fromEntries(params));
    if (this.#stale) this.#lookAgain();
  }

  focusSearch() {
    this.#form.focus();
  }

  /** Show what would happen, without making anything. */
  async #look() {
    this.#soon.cancel();
    this.#running?.abort();
    if (this.#form.isEmpty) {
      this.#shownFor = "";
      fill(this.#reading, intro());
      return;
    }
    const request = this.#form.request();
    if (JSON.stringify(request) === this.#shownFor) return;
    const mine = (this.#running = new AbortController());
    this.#stale = false;
    this.#reading.setAttribute("aria-busy", "true");
    try {
      const result = await decided(request, mine.signal);
      if (mine !== this.#running) return;
      this.#shownFor = JSON.stringify(request);
      this.#form.showProblem("");
      this.#explain(result);
    } catch (error) {
      if (error.name !== "AbortError" && mine === this.#running) {
        this.#stale = true;
        this.#form.showProblem(error.message);
      }
    }
    if (mine === this.#running) this.#reading.removeAttribute("aria-busy");
  }

  #lookAgain() {
    this.#shownFor = "";
    this.#look();
  }

  #explain({ request, decision, track }) {
    const others = h("div", { class: "others" });
    const styles = h("dd", { class: "chips other-styles" });
    const near = h("div", { class: "nearest" });
    fill(this.#reading, verdict(decision, request, track, near), candidates(decision, request, others, this.#hand), this.#other, understood(request.features), chosen(request, styles));
    suggestStyles(styles, request, (style) => this.#form.choose("preset", style));
    if (decision.filter) this.#showRuledOut(decision, request, others, near).catch(() => {}); // an extra: without it the rest still holds
  }

  async #showRuledOut(decision, request, others, near) {
    const ruled = await ruledOut(decision, request);
    fill(others, ruledList(ruled, this.#hand));
    if (decision.action === "make" && !decision.candidates.length && ruled.length) fill(near, nearestAnyway(ruled, this.#hand));
  }

  #served(result, word) {
    served();
    this.#outcome.show(result, word);
    this.#lookAgain();
  }

  async #make(reuse) {
    this.#soon.cancel();
    this.#look();
    if (this.#form.isEmpty) {
      this.#form.showProblem("Paste or write a context first.");
      this.#form.focus();
      return;
    }
    this.#form.showProblem("");
    this.#form.disable(true);
    try {
      if (reuse === "takes") {
        await this.#takes.start(this.#form.request());
        return this.#form.disable(false);
      }
      const { status, data } = await post("/find-or-make", { ...this.#form.request(), reuse });
      this.#takes.clear();
      if (status === 202) this.#outcome.follow(data.job);
      else this.#served(data.result, "Reused");
    } catch (error) {
      this.#form.showProblem(error.retryAfter_s ? `${error.message} Try again in ${error.retryAfter_s} s.` : error.message);
    }
    this.#form.disable(false);
  }
}

/** Return what the service would do. A repeat is served without reading the text, so it is looked up again as a new request. */
async function decided(request, signal) {
  const { result } = (await post("/find", { ...request, log: false }, signal)).data;
  if (result.decision.rule !== "exact") return result;
  const fresh = (await post("/find", { ...request, reuse: "never", log: false }, signal)).data.result;
  const { action, rule, reason, track_id } = result.decision;
  return { ...result, request: fresh.request, decision: { ...fresh.decision, action, rule, reason, track_id } };
}

function intro() {
  return h(
    "div",
    { class: "intro" },
    h("h2", {}, "What you will see here"),
    h(
      "ol",
      {},
      h("li", {}, "What was read in the text: topic, mood, place, time."),
      h("li", {}, "The style, role and quality that follow, each with its reason."),
      h("li", {}, "The nearest tracks with their scores, and why each is or is not reused."),
    ),
  );
}
