// Tracks that are being made, as the reader sees them: a card for each, and their list in the bar at the top.

import { connection } from "../lib/connection.js";
import { button, fill, h, icon } from "../lib/dom.js";
import { title } from "../lib/format.js";
import { errorOf, fractionOf, isFinal, jobs, titleOf } from "../lib/jobs.js";

/** Return the progress bar of one job with a button to cancel it. It changes as the job does, until the job ends. */
export function jobCard(job) {
  const heading = h("p", { class: "job-title" });
  const state = h("p", { class: "job-state" });
  const bar = h("progress", { class: "progress", "aria-label": "Progress", max: "1" });
  const cancel = button("Cancel", () => ((cancel.disabled = true), jobs.cancel(job.id)), { class: "button small" });
  const element = h("div", { class: "job" }, h("div", { class: "job-text" }, heading, state), bar, cancel);
  const show = (now) => {
    const part = fractionOf(now);
    heading.textContent = now.result?.track ? title(now.result.track) : titleOf(now);
    state.textContent = now.state === "failed" ? errorOf(now) : stateOf(now);
    if (part === null || part === 1) bar.removeAttribute("value"); // what is left has no measure
    else bar.value = part;
    bar.hidden = cancel.hidden = isFinal(now);
    cancel.disabled = jobs.isCancelling(job.id);
    element.dataset.state = now.state;
  };
  const changed = ({ detail }) => {
    if (detail.id !== job.id) return;
    show(detail);
    if (isFinal(detail)) jobs.removeEventListener("job", changed);
  };
  jobs.addEventListener("job", changed);
  show(job);
  return element;
}

/** Show the card of a job in `place` until the job ends; returns the job as it is then. While that is in sight, no note tells of it. */
export function watched(job, place) {
  const card = jobCard(job);
  fill(place, card);
  return new Promise((resolve) => {
    const ready = (event) => event.detail.id === job.id && card.offsetParent && event.preventDefault();
    const changed = ({ detail }) => {
      if (detail.id !== job.id || !isFinal(detail)) return;
      jobs.removeEventListener("job", changed);
      jobs.removeEventListener("ready", ready);
      resolve(detail);
    };
    jobs.addEventListener("ready", ready);
    jobs.addEventListener("job", changed);
    jobs.follow(job);
  });
}

function stateOf(job) {
  if (connection.lost && !isFinal(job)) return "Waiting for the catalog to answer";
  if (jobs.isCancelling(job.id) && !isFinal(job)) return "Cancelling";
  const part = fractionOf(job);
  const doing = job.request?.kind === "mix" ? "Mixing" : "Making";
  const running = part === null ? doing : part === 1 ? "Finishing: it is measured and stored" : `${doing}, ${Math.floor(part * 100)} %`;
  return { queued: "Waiting for its turn", running, done: "Ready", failed: "Failed", cancelled: "Cancelled" }[job.state] ?? job.state;
}

/** Return the button in the bar at the top that shows how many tracks are being made, and opens their list. */
export function jobsTray() {
  const count = h("span", {});
  const list = h("div", { class: "tray", id: "jobs-tray", hidden: true, role: "region", "aria-label": "What is being made" });
  const toggle = h("button", { type: "button", class: "button tray-button", hidden: true, "aria-expanded": "false", "aria-controls": "jobs-tray", onclick: () => open(list.hidden) }, icon("spinner"), count);
  const cards = new Map(); // id -> card of a live job
  const open = (on) => {
    list.hidden = !on;
    toggle.setAttribute("aria-expanded", String(on));
  };
  jobs.addEventListener("job", () => {
    for (const id of cards.keys()) if (!jobs.live.has(id)) cards.delete(id);
    for (const job of jobs.live.values()) if (!cards.has(job.id)) cards.set(job.id, jobCard(job));
    toggle.hidden = !cards.size;
    count.textContent = countOf([...jobs.live.values()]);
    fill(list, [...cards.values()]);
    if (!cards.size) open(false);
  });
  addEventListener("click", (event) => {
    if (!list.hidden && !event.target.closest(".jobs")) open(false);
  });
  return h("div", { class: "jobs" }, toggle, list);
}

function countOf(live) {
  if (live.length > 1) return `Making ${live.length}`;
  const part = live.length ? fractionOf(live[0]) : null;
  return part !== null && part < 1 ? `Making ${Math.floor(part * 100)} %` : "Making";
}
