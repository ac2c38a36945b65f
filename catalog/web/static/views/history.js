// Requests, what was served for them, and why.

import { get, trackPath } from "../lib/api.js";
import { button, debounced, fill, h, icon } from "../lib/dom.js";
import { bytes, name, number, percent, plural, nearness, score, span, when, why } from "../lib/format.js";
import { address, change, here, trackAddress } from "../lib/route.js";
import { complain } from "../lib/toast.js";
import { LOOKING } from "../lib/vocabulary.js";
import { notLoaded } from "../parts/connection.js";
import { playButton } from "../parts/play.js";
import { trendChart } from "./history/trend.js";

const TYPING_MS = 180;
const STEP = 200; // requests at once
const NEAREST = 40; // of a search; what comes after is not near any more
// The icon and the word for how a request ended.
const ENDS = {
  failed: ["warning", "Failed"],
  cancelled: ["close", "Cancelled"],
  found: ["search", "Found"],
  reused: ["check", "Reused"],
  generated: ["plus", "Made"],
  none: ["below", "Nothing fitted"],
};
const ERRORS = ["failed", "cancelled"];
const FIGURES = [
  ["Tracks", "tracks", number],
  ["Requests", "requests", number],
  ["Served from the catalog", "hit_rate", percent],
  ["Tracks reused", "reused", number],
  ["Time saved", "saved_s", span],
  ["Failed the check", "failed_check", percent],
  ["On disk", "disk_bytes", bytes],
];

export class HistoryView {
  title = "History";
  #hasList = false;
  #latest = null; // the load that counts: the answer to an earlier one may come later
  #search = h("input", { type: "search", class: "search-input", placeholder: "Search the requests", "aria-label": "Search the history", oninput: debounced(() => change({ q: this.#search.value.trim() }, { replace: true }), TYPING_MS) });
  #looks = h("input", { type: "checkbox", class: "check", onchange: () => change({ looks: this.#looks.checked ? "1" : null }, { replace: true }) });
  #figures = h("dl", { class: "figures" });
  #trend = h("section", { class: "trend", "aria-label": "Requests over time" });
  #count = h("p", { class: "count" });
  #list = h("ol", { class: "history", role: "list" });
  #limit = STEP;
  #more = button(`Show ${STEP} more`, () => this.#showMore(), { hidden: true });
  element = h(
    "div",
    { class: "view history-view" },
    h(
      "div",
      { class: "page" },
      h("header", { class: "page-head" }, h("h1", {}, "History"), h("p", { class: "muted" }, "Every request, what was served and why.")),
      this.#figures,
      this.#trend,
      h("div", { class: "search" }, icon("search"), this.#search),
      h("div", { class: "history-tools" }, this.#count, h("div", { class: "grow" }), h("label", { class: "labelled inline" }, this.#looks, h("span", {}, "Show look-ups too"))),
      this.#list,
      this.#more,
    ),
  );

  show({ params }) {
    const q = params.get("q") ?? "";
    if (document.activeElement !== this.#search) this.#search.value = q;
    this.#looks.checked = Boolean(params.get("looks"));
    this.#load(q);
    this.#loadFigures();
  }

  focusSearch() {
    this.#search.focus();
  }

  async #showMore() {
    this.#limit += STEP;
    await this.#load("");
  }

  async #load(q) {
    const mine = (this.#latest = {});
    this.#list.setAttribute("aria-busy", "true");
    try {
      const { requests } = await get("/history", q ? { q, narrow: "true", limit: NEAREST } : { limit: this.#limit });
      if (this.#latest !== mine) return;
      const shown = requests.filter((one) => this.#looks.checked || !isLook(one));
      const cut = !q && requests.length === this.#limit;
      this.#more.hidden = !cut;
      this.#count.textContent = (cut ? "The last " : "") + plural(shown.length, "request");
      this.#hasList = true;
      fill(this.#list, shown.length ? shown.map(line) : h("li", { class: "empty-line muted" }, q ? "No request matches." : "No requests yet."));
    } catch (error) {
      if (this.#latest !== mine) return;
      complain(error);
      if (!this.#hasList) fill(this.#list, h("li", { class: "not-loaded" }, notLoaded(error, () => this.show(here()))));
    }
    this.#list.removeAttribute("aria-busy");
  }

  async #loadFigures() {
    try {
      const statistics = await get("/statistics");
      const checks = Object.values(statistics.checks ?? {});
      const sum = (name) => checks.reduce((all, one) => all + one[name], 0);
      if (checks.length) statistics.failed_check = sum("failed") / sum("takes");
      const known = FIGURES.filter(([, key]) => typeof statistics[key] === "number");
      fill(this.#figures, known.map(([term, key, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text(statistics[key])))));
      fill(this.#trend, trendChart(statistics.over_time));
    } catch (error) {
      complain(error);
    }
  }
}

/** Return true when a request only looked for a track: it served nobody. */
const isLook = (one) => LOOKING.includes(one.command);

function endOf(one) {
  if (ERRORS.includes(one.rule)) return one.rule; // the action of such a request is "none", like that of one that nothing fits
  return isLook(one) && one.action === "reused" ? "found" : one.action;
}

function line(one) {
  const text = one.summary || one.query || one.prompt;
  return h(
    "li",
    { class: "history-line" },
    one.track_id ? playButton({ id: one.track_id, summary: one.summary, style: one.style }) : h("span", { class: "play-gap" }),
    h("div", { class: "history-text" }, h("p", { class: "history-title", dir: "auto" }, one.track_id ? h("a", { href: trackAddress(one.track_id, "history") }, text) : text), h("p", { class: "muted small" }, remarks(one))),
    end(one),
    h("p", { class: "muted small history-style" }, [name(one.style), name(one.role)].filter(Boolean).join(" · ")),
    h("time", { class: "muted small", datetime: one.created_at }, when(one.created_at)),
    h("a", { class: "link quiet", href: composeAddress(one, one.summary || one.query), "aria-label": `Compose again: ${text}`, onclick: (event) => composeAgain(event, one) }, "Compose"),
  );
}

/** Return the address of Compose with a text and with what the caller chose. */
function composeAddress(one, text) {
  const params = new URLSearchParams({ text });
  for (const [key, value] of Object.entries({ ...one.choices, query: one.query })) if (["string", "number", "boolean"].includes(typeof value)) params.set(key, value);
  return address("compose", params);
}

/** Go to Compose with the whole text of a request, where a track keeps it: the log has a summary. */
async function composeAgain(event, one) {
  if (!one.text_track || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const text = await get(trackPath(one.text_track)).then((track) => track.context, () => one.summary);
  location.hash = composeAddress(one, text);
}

function remarks(one) {
  return [one.track_title && one.track_title !== one.summary && `Served: ${one.track_title}`, one.rejected && "Marked as not fitting", one.answer_rating && `Rated ${one.answer_rating} of 5`, one.reason && why(one.reason)].filter(Boolean).join(" · ");
}

function end(one) {
  const [picture, word] = ENDS[endOf(one)];
  return h("p", { class: "history-action" }, icon(picture), word, one.action === "reused" && one.score !== null && h("span", { class: "muted", title: `How near it was: ${score(one.score)}` }, nearness(one.score)));
}
