// What came of it: a job while a track is made, then the track, which the reader can refuse.

import { post, trackPath } from "../../lib/api.js";
import { announce, button, fill, h, icon } from "../../lib/dom.js";
import { title, why } from "../../lib/format.js";
import { isFinal, jobs } from "../../lib/jobs.js";
import { player } from "../../lib/player/player.js";
import { address } from "../../lib/route.js";
import { complain, toast } from "../../lib/toast.js";
import { jobCard } from "../../parts/jobs.js";
import { playButton } from "../../parts/play.js";
import { Listen } from "./listen.js";

export class Outcome {
  element = h("div", { class: "outcome", "aria-live": "polite" });
  #onChanged;
  #listen = null; // the button that plays a track while it is made

  /** `onChanged` is called after the reader refused a track, or took that back. */
  constructor({ onChanged }) {
    this.#onChanged = onChanged;
  }

  /** Show a job until it ends, then its track. */
  follow(job) {
    const card = jobCard(job);
    this.#listen?.stop();
    const listen = (this.#listen = new Listen(job));
    fill(this.element, card, listen.element);
    const changed = ({ detail }) => {
      if (detail.id !== job.id || !isFinal(detail)) return;
      jobs.removeEventListener("job", changed);
      const waited = ["waiting", "whole"].includes(listen.state);
      if (detail.state !== "done" || waited) listen.stop();
      if (listen.state === "ended") listen.element.remove();
      // The reader may have started another one since.
      if (detail.state !== "done" || !detail.result || !this.element.contains(card)) return;
      this.show(detail.result, "Made");
      if (waited) player.play(detail.result.track, { queue: null });
    };
    jobs.addEventListener("job", changed);
    jobs.addEventListener("ready", (event) => event.detail.id === job.id && card.offsetParent && event.preventDefault(), { once: true });
    jobs.follow(job);
  }

  /** Show the track of a result; `word` says where it comes from, unless it was reused. */
  show(result, word) {
    const { track, reason, warnings } = result;
    if (!track) return;
    const reused = result.action === "reused";
    const label = reused && word === "Made" ? "Reused" : word;
    const link = h("a", { href: address("compose", new URLSearchParams({ track: track.id })) }, title(track));
    fill(
      this.element,
      h(
        "div",
        { class: "served" },
        playButton(track),
        h("div", { class: "served-text" }, h("p", { class: "served-title" }, h("strong", {}, `${label}: `), link), h("p", { class: "muted" }, reason && why(reason))),
        reused && button("Does not fit", () => this.#reject(result), { class: "button small" }),
      ),
      this.#listen?.state === "playing" && this.#listen.element, // it is heard to its end
      warnings?.filter((warning) => warning !== reason).map((warning) => h("p", { class: "warning" }, icon("warning"), why(warning))),
    );
    announce(`${label}: ${title(track)}`);
  }

  /** Never serve this track for this or similar requests again; the track itself stays. With `undo` take that back. */
  async #reject({ track, request_id }, undo = false) {
    try {
      await post(trackPath(track.id, "reject"), { request_id, undo });
    } catch (error) {
      return complain(error);
    }
    if (undo) {
      toast("It may be used again.");
    } else {
      fill(this.element);
      toast("It won't be used for requests like this.", { action: { label: "Undo", run: () => this.#reject({ track, request_id }, true) } });
    }
    this.#onChanged();
  }
}
