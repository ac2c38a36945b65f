// Three takes of one request: made with seeds of their own, heard side by side, one kept and the others trashed.

import { post } from "../../lib/api.js";
import { announce, fill, h } from "../../lib/dom.js";
import { trash } from "../../lib/edits.js";
import { isFinal, jobs } from "../../lib/jobs.js";
import { complain } from "../../lib/toast.js";
import { Compare } from "../../parts/compare.js";
import { jobCard } from "../../parts/jobs.js";

const TAKES = 3;

export class Takes {
  element = h("div", { class: "takes" });
  #onKept;
  #compare = null;
  #latest = null; // what the reader asked for last: what comes of an earlier request is not shown

  /** `onKept(track)` is called with the take that the reader keeps. */
  constructor({ onKept }) {
    this.#onKept = onKept;
    jobs.addEventListener("job", ({ detail }) => this.#follow(detail));
    jobs.addEventListener("ready", (event) => this.#latest?.ids.includes(event.detail.id) && this.element.offsetParent && event.preventDefault());
  }

  /** Have the takes made; raises Problem where not even one is accepted. */
  async start(request) {
    const mine = (this.#latest = { ids: [], ended: new Map() });
    const cards = [];
    for (let take = 0; take < TAKES; take += 1) {
      const seed = request.seed === undefined ? {} : { seed: request.seed + take };
      try {
        const { data } = await post("/find-or-make", { ...request, ...seed, reuse: "never" });
        mine.ids.push(data.job.id);
        cards.push(jobCard(data.job));
        jobs.follow(data.job);
      } catch (error) {
        if (!mine.ids.length) throw error;
        complain(error); // the queue is full: the takes before it are made
        break;
      }
    }
    this.clear();
    this.#latest = mine;
    fill(this.element, h("h2", {}, "Takes"), cards);
    mine.complete = true;
    this.#showWhenReady();
  }

  clear() {
    this.#latest = null;
    this.#compare?.close();
    this.#compare = null;
    fill(this.element);
  }

  #follow(job) {
    if (!this.#latest?.ids.includes(job.id) || !isFinal(job)) return;
    this.#latest.ended.set(job.id, job);
    this.#showWhenReady();
  }

  #showWhenReady() {
    const { ids, ended, complete } = this.#latest;
    if (!complete || ended.size < ids.length) return;
    const tracks = ids.map((id) => ended.get(id).result?.track).filter(Boolean);
    if (tracks.length < 2) return;
    this.#compare = new Compare(tracks, { onKeep: (track) => this.#keep(track, tracks) });
    fill(this.element, h("h2", {}, "Takes"), this.#compare.element);
    announce(`${tracks.length} takes are ready`);
  }

  #keep(track, tracks) {
    this.clear();
    this.#onKept(track);
    trash(tracks.filter((one) => one.id !== track.id));
  }
}
