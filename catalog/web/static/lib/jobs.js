// What is being made: tracks, stories, mixes. Their progress comes as server-sent events, or by polling where those fail.

import { get, remove } from "./api.js";
import { connection } from "./connection.js";
import { announce } from "./dom.js";
import { made } from "./edits.js";
import { title } from "./format.js";
import { trackAddress } from "./route.js";
import { complain, toast } from "./toast.js";

const POLL_MS = 1000;
const TITLE_LENGTH = 90;
const FORGOTTEN = "The catalog no longer knows of this: it was restarted, or this ended long ago. Ask for it again.";
const FINAL = ["done", "failed", "cancelled"];

/** Return true when a job has ended. */
export const isFinal = (job) => FINAL.includes(job.state);

/** Dispatches "job" (detail: the job as it is now) at every change of a job, the last time when it has ended;
 * and "ready" when a track is made: who shows that in sight prevents the note. */
class Jobs extends EventTarget {
  /** id -> job, of those that have not ended. */
  live = new Map();
  #sources = new Map();
  #cancelled = new Set(); // ids of those that the reader cancelled

  constructor() {
    super();
    connection.addEventListener("lost", () => this.#showAll());
    connection.addEventListener("back", () => this.#askAgain());
  }

  /** Follow the jobs that ran before the page was opened. */
  async load() {
    const { jobs } = await get("/jobs");
    for (const job of jobs) if (!isFinal(job)) this.follow(job);
  }

  follow(job) {
    if (!this.live.has(job.id)) this.live.set(job.id, {});
    this.#update(job);
    if (!this.live.has(job.id) || this.#sources.has(job.id)) return;
    const source = new EventSource(`api/jobs/${encodeURIComponent(job.id)}/events`);
    this.#sources.set(job.id, source);
    source.addEventListener("progress", (event) => {
      const progress = parsed(event.data);
      if (progress) this.#update(progress);
    });
    for (const name of FINAL) source.addEventListener(name, () => this.#poll(job.id, 0));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) this.#poll(job.id);
      else connection.check();
    });
  }

  /** Return true between the reader's cancelling and the end of a job, which comes with its next step. */
  isCancelling(id) {
    return this.#cancelled.has(id);
  }

  async cancel(id) {
    this.#cancelled.add(id);
    this.#showAll();
    try {
      await remove(`/jobs/${encodeURIComponent(id)}`);
      await this.#refresh(id);
    } catch (error) {
      this.#cancelled.delete(id);
      this.#showAll();
      complain(error);
    }
  }

  /** Ask how a job stands. A service that was restarted may not know it: then it has ended. */
  async #refresh(id) {
    try {
      this.#update(await get(`/jobs/${encodeURIComponent(id)}`));
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#update({ id, state: "failed", error: { detail: FORGOTTEN } });
    }
  }

  /** Ask until a job has ended, or until the connection is lost: once it is back, all jobs are asked after. */
  async #poll(id, wait_ms = POLL_MS) {
    this.#stop(id);
    while (this.live.has(id) && !connection.lost && !this.#sources.has(id)) {
      await new Promise((resolve) => setTimeout(resolve, wait_ms));
      await this.#refresh(id).catch(() => {});
      wait_ms = POLL_MS;
    }
  }

  #askAgain() {
    for (const id of this.live.keys()) {
      this.#stop(id);
      this.#refresh(id).then(() => this.live.has(id) && this.follow(this.live.get(id)), () => this.#poll(id));
    }
    this.load().catch(complain);
  }

  #showAll() {
    for (const job of this.live.values()) this.dispatchEvent(new CustomEvent("job", { detail: job }));
  }

  #stop(id) {
    this.#sources.get(id)?.close();
    this.#sources.delete(id);
  }

  #update(job) {
    // A cancelled job is reported twice, by its events and by the answer to the cancelling: the second time it is gone.
    if (!this.live.has(job.id)) return;
    const now = { ...this.live.get(job.id), ...job };
    this.live.set(job.id, now);
    if (isFinal(now)) {
      this.#stop(job.id);
      this.live.delete(job.id);
      report(now, this.#cancelled.delete(now.id));
    }
    this.dispatchEvent(new CustomEvent("job", { detail: now }));
  }
}

export const jobs = new Jobs();

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Show a note about a job that has ended, unless the reader ended it; a new track is reported to the lists too. */
function report(job, onPurpose) {
  const track = job.result?.track;
  if (job.state === "failed") return complain(new Error(errorOf(job)));
  if (job.state === "cancelled" && !onPurpose) return complain(new Error(`Cancelled before it was ready: ${titleOf(job)}`));
  if (job.state !== "done" || !(track || job.outcome)) return;
  if (track) made(track);
  if (!jobs.dispatchEvent(new CustomEvent("ready", { detail: job, cancelable: true }))) return;
  const { story } = job.outcome ?? {};
  const text = `Ready: ${track ? title(track) : titleOf(job)}`;
  announce(text);
  toast(text, { action: { label: "Open", run: () => (location.hash = track ? trackAddress(track.id) : story ? `#/story?id=${story}` : "#/scene") }, slot: "ready" });
}

export function errorOf(job) {
  return job.error?.detail ?? job.error?.title ?? "It could not be made.";
}

/** Return what a job is called: the start of the text that it is for. */
export function titleOf(job) {
  const context = job.request?.context;
  const text = typeof context === "string" ? context : context?.text ?? job.request?.summary ?? "A track";
  return text.length > TITLE_LENGTH ? `${text.slice(0, TITLE_LENGTH - 1)}…` : text;
}

/** Return how much of a job is done, 0 to 1, or null when that is not known. */
export function fractionOf(job) {
  return job.progress?.total ? Math.min(1, job.progress.done / job.progress.total) : null;
}
