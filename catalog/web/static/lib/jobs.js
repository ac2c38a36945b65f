// What is being made: followed by server-sent events, shown in the bar at the top wherever the reader is.

import { get, remove } from "./api.js";
import { announce, fill, h, icon } from "./dom.js";
import { made } from "./edits.js";
import { title } from "./format.js";
import { address, here } from "./route.js";
import { complain, toast } from "./toast.js";

const POLL_MS = 1000;
const FINAL = ["done", "failed", "cancelled"];

/** Hears "job" (detail: the job as it is now). */
class Jobs extends EventTarget {
  all = new Map();
  #sources = new Map();

  /** Take up what was running before the page was opened. */
  async load() {
    const told = await get("/jobs");
    for (const job of told.jobs) {
      if (FINAL.includes(job.state)) continue;
      this.follow(job);
    }
  }

  follow(job) {
    this.#update(job);
    if (FINAL.includes(job.state) || this.#sources.has(job.id)) return;
    const source = new EventSource(`/api/jobs/${encodeURIComponent(job.id)}/events`);
    this.#sources.set(job.id, source);
    const hear = (event) => {
      const told = parsed(event.data);
      if (!told) return;
      this.#update(told);
    };
    source.addEventListener("progress", hear);
    for (const name of FINAL) source.addEventListener(name, () => this.#finish(job.id));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) this.#poll(job.id);
    });
  }

  async cancel(id) {
    try {
      await remove(`/jobs/${encodeURIComponent(id)}`);
      await this.#refresh(id);
    } catch (error) {
      complain(error);
    }
  }

  forget(id) {
    this.all.delete(id);
    this.dispatchEvent(new CustomEvent("job", { detail: null }));
  }

  async #finish(id) {
    this.#stop(id);
    try {
      await this.#refresh(id);
    } catch (error) {
      complain(error);
    }
  }

  async #refresh(id) {
    this.#update(await get(`/jobs/${encodeURIComponent(id)}`));
  }

  async #poll(id) {
    this.#stop(id);
    while (!FINAL.includes(this.all.get(id)?.state)) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      try {
        await this.#refresh(id);
      } catch (error) {
        return complain(error);
      }
    }
  }

  #stop(id) {
    this.#sources.get(id)?.close();
    this.#sources.delete(id);
  }

  #update(job) {
    const before = this.all.get(job.id)?.state;
    this.all.set(job.id, { ...this.all.get(job.id), ...job });
    if (FINAL.includes(job.state)) this.#stop(job.id);
    if (job.state !== before && FINAL.includes(job.state)) tell(job);
    this.dispatchEvent(new CustomEvent("job", { detail: this.all.get(job.id) }));
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

function tell(job) {
  const track = job.result?.track;
  if (job.state === "done" && track) {
    made(track);
    announce(`Ready: ${title(track)}`);
    toast(`Ready: ${title(track)}`, {
      action: {
        label: "Open",
        run: () => {
          const params = new URLSearchParams(here().params);
          params.set("track", track.id);
          location.hash = address(here().view, params);
        },
      },
    });
  } else if (job.state === "failed") complain(new Error(errorOf(job)));
}

export function errorOf(job) {
  return job.error?.detail ?? job.error?.title ?? "It could not be made.";
}

export function fractionOf(job) {
  return job.progress?.total ? Math.min(1, job.progress.done / job.progress.total) : null;
}

export function stateOf(job) {
  const part = fractionOf(job);
  return { queued: "Waiting for its turn", running: part === null ? "Making" : part === 1 ? "Finishing" : `Making, ${Math.round(part * 100)} %`, done: "Ready", failed: "Failed", cancelled: "Cancelled" }[job.state] ?? job.state;
}

/** A progress bar of one job with a way to cancel it; changes as the job does. */
export function jobCard(id) {
  const state = h("p", { class: "job-state" });
  const bar = h("progress", { class: "progress", "aria-label": "Progress", max: "1" });
  const cancel = h("button", { type: "button", class: "button small", onclick: () => jobs.cancel(id) }, h("span", {}, "Cancel"));
  const element = h("div", { class: "job" }, h("div", { class: "job-text" }, h("p", { class: "job-title" }), state), bar, cancel);
  const show = () => {
    const job = jobs.all.get(id);
    if (!job) return;
    const running = !FINAL.includes(job.state);
    element.querySelector(".job-title").textContent = job.result?.track ? title(job.result.track) : titleOf(job);
    state.textContent = job.state === "failed" ? errorOf(job) : stateOf(job);
    const part = fractionOf(job);
    if (part === null) bar.removeAttribute("value");
    else bar.value = part;
    bar.hidden = !running;
    cancel.hidden = !running;
    element.dataset.state = job.state;
  };
  jobs.addEventListener("job", show);
  show();
  return element;
}

function titleOf(job) {
  const context = job.request?.context;
  const text = typeof context === "string" ? context : context?.text ?? job.request?.summary ?? "A track";
  return text.length > 90 ? `${text.slice(0, 89)}…` : text;
}

/** The button in the top bar that tells how many are being made, and their list. */
export function jobsTray() {
  const count = h("span", {});
  const list = h("div", { class: "tray", id: "jobs-tray", hidden: true, role: "region", "aria-label": "What is being made" });
  const cards = new Map();
  const toggle = h("button", { type: "button", class: "button tray-button", hidden: true, "aria-expanded": "false", "aria-controls": "jobs-tray", onclick: () => open(list.hidden) }, icon("spinner"), count);
  const open = (on) => {
    list.hidden = !on;
    toggle.setAttribute("aria-expanded", String(on));
  };
  jobs.addEventListener("job", () => {
    const live = [...jobs.all.values()].filter((job) => !FINAL.includes(job.state));
    const parts = live.map(fractionOf).filter((part) => part !== null);
    toggle.hidden = !live.length;
    count.textContent = live.length > 1 ? `Making ${live.length}` : parts.length && parts[0] < 1 ? `Making ${Math.round(parts[0] * 100)} %` : "Making";
    for (const job of live) {
      if (cards.has(job.id)) continue;
      cards.set(job.id, jobCard(job.id));
    }
    fill(list, live.map((job) => cards.get(job.id)));
    if (!live.length) open(false);
  });
  addEventListener("click", (event) => {
    if (!list.hidden && !event.target.closest(".jobs")) open(false);
  });
  return h("div", { class: "jobs" }, toggle, list);
}
