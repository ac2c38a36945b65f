// The reader decides in place of the catalog: use a track anyway, ask why not, say that it does not fit.

import { post, trackPath } from "../../lib/api.js";
import { button, fill, h, icon } from "../../lib/dom.js";
import { percent, sentence, title } from "../../lib/format.js";
import { complain, toast } from "../../lib/toast.js";
import { alike } from "./alike.js";
import { unmetFacts } from "./facts.js";

export class ByHand {
  #request;
  #onServed;
  #onChanged;

  /** `request()` is the request of the form; `onServed(result)` shows what was chosen, `onChanged` looks again. */
  constructor({ request, onServed, onChanged }) {
    this.#request = request;
    this.#onServed = onServed;
    this.#onChanged = onChanged;
  }

  /** Return the buttons for a track, {id, summary}, and the place where the answer to "why not" appears. */
  controls(track, { label = "Use this anyway", why = true } = {}) {
    const answer = h("div", { class: "why", "aria-live": "polite" });
    const named = (words) => ({ class: "button small", "aria-label": `${words}: ${title(track)}` });
    const ask = button("Why not this one?", () => this.#explain(track, answer, ask), named("Why not this one?"));
    return h("div", { class: "by-hand" }, h("div", { class: "actions" }, button(label, () => this.use(track), named(label)), why && ask), answer);
  }

  /** Have a track served for the text, whatever the catalog would decide. The same text gets it again. */
  async use(track) {
    try {
      const { result } = (await post(trackPath(track.id, "choose"), this.#request())).data;
      this.#onServed(result);
    } catch (error) {
      complain(error);
    }
  }

  async #explain(track, answer, ask) {
    ask.disabled = true;
    try {
      const weighed = (await post(trackPath(track.id, "weigh"), this.#request())).data;
      const not = button("It doesn't fit", () => this.#decline(track), { class: "button small", "aria-label": `It doesn't fit: ${title(track)}` });
      fill(answer, h("ul", { class: "reasons" }, reasonsOf(weighed).map((text) => h("li", {}, text))), h("p", { class: "muted small" }, "Disagree? Use it anyway. Agree? Say so. Either answer teaches the catalog. "), not);
    } catch (error) {
      fill(answer, h("p", { class: "warning" }, icon("warning"), error.message));
    }
    ask.disabled = false;
  }

  async #decline(track) {
    let judgement;
    try {
      judgement = (await post(trackPath(track.id, "decline"), this.#request())).data;
    } catch (error) {
      return complain(error);
    }
    const undo = async () => {
      await post(trackPath(track.id, "reject"), { request_id: judgement.request_id, undo: true }).catch(complain);
      this.#onChanged();
    };
    toast("Won't be used for requests like this.", { action: { label: "Undo", run: undo } });
    this.#onChanged();
  }
}

/** Return in words what speaks against a track: the requirements it misses, then how its music and its scene fit. */
function reasonsOf({ track, decision }) {
  const [one] = decision.candidates;
  const reasons = unmetFacts(track, decision.filter);
  if (one.passes !== null) reasons.push(sentence(`Its music: ${one.sounds || "not described"}`));
  if (one.passes !== null && one.passes === one.worth) reasons.push(`${percent(one.passes)} likely to serve this text${one.needed === null ? "" : `, ${percent(one.needed)} needed`}.`);
  else if (one.probability !== null) reasons.push(`${percent(one.probability)} likely to be of the same scene${one.needed === null ? "" : `, ${percent(one.needed)} needed`}.`);
  else reasons.push(alike(one));
  if (one.refused) reasons.push("The mood differs too much.");
  reasons.push(...one.against.map(sentence));
  if (one.admissible && reasons.length && !unmetFacts(track, decision.filter).length) reasons.push("It would do; another was picked.");
  return reasons;
}
