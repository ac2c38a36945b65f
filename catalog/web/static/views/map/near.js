// The choice by what the map places tracks: by the text that they were made for, or by their sound.

import { get } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { name, plural } from "../../lib/format.js";
import { change, here } from "../../lib/route.js";

const MEANS = { context: "Near means alike in meaning.", measured: "Near means alike in timbre, tempo and loudness.", ear: "Near means alike to the ear that heard them." };

export class Near {
  #by = null; // what was asked for last
  element = h("div", { class: "segmented", role: "group", "aria-label": "Place by" }, ["text", "sound"].map(choice));
  /** What it means to be near, and how many tracks have no place. */
  note = h("span", {});

  /** Whether the address asks for another map than the last one. */
  get changed() {
    return this.#by !== asked();
  }

  /** Return a promise of {points, frame}, with `outdated` where another map was asked for meanwhile. */
  async load() {
    const by = (this.#by = asked());
    const answer = await get("/map", by === "sound" ? { by } : undefined);
    if (by !== this.#by) return { outdated: true };
    for (const one of this.element.children) one.setAttribute("aria-pressed", String(one.dataset.near === by));
    this.note.textContent = [MEANS[answer.of], answer.without && `${plural(answer.without, "track")} not measured yet.`, ""].filter((one) => one !== 0).join(" ");
    return answer;
  }
}

function asked() {
  return here().params.get("near") === "sound" ? "sound" : "text";
}

/** Return the button of a choice. What was picked by its place is given up, as the places are others. */
function choice(key) {
  const place = () => change({ near: key === "text" ? null : key, pick: null, lasso: null }, { replace: true });
  return h("button", { type: "button", "aria-pressed": "false", data: { near: key }, onclick: place }, name(key));
}
