// What was asked for, and what was served.

import { get } from "../lib/api.js";
import { debounced, fill, h, icon } from "../lib/dom.js";
import { bytes, name, number, percent, plural, score, span, when } from "../lib/format.js";
import { playButton } from "./detail.js";
import { address, change, here } from "../lib/route.js";
import { complain } from "../lib/toast.js";

const LIMIT = 200;
const NEAREST = 40; // a search ranks every request; beyond these nothing is near any more
const ACTIONS = { reused: ["check", "Reused"], generated: ["plus", "Made"], none: ["below", "Nothing fitted"], failed: ["warning", "Failed"] };

export function historyView() {
  const search = h("input", { type: "search", class: "search-input", placeholder: "Search what was asked", "aria-label": "Search the history", oninput: debounced(() => change({ q: search.value.trim() }, { replace: true }), 180) });
  const figures = h("dl", { class: "figures" });
  const list = h("ol", { class: "history", role: "list" });
  const count = h("p", { class: "count" });
  const looks = h("input", { type: "checkbox", class: "check", onchange: () => change({ looks: looks.checked ? "1" : null }, { replace: true }) });
  let asked = null;

  async function load(q, all) {
    const mine = (asked = {});
    list.setAttribute("aria-busy", "true");
    try {
      const told = await get("/history", { q, limit: q ? NEAREST : LIMIT });
      if (asked !== mine) return;
      // What was only looked up, such as by the compose panel while somebody types, served nobody.
      const lines = told.requests.filter((one) => all || one.action !== "none");
      count.textContent = plural(lines.length, "request");
      fill(list, lines.length ? lines.map(line) : h("li", { class: "empty-line muted" }, q ? "No request matches." : "Nothing was asked yet."));
    } catch (error) {
      complain(error);
    }
    list.removeAttribute("aria-busy");
  }

  async function loadFigures() {
    try {
      fill(figures, figuresOf(await get("/statistics")));
    } catch (error) {
      complain(error);
    }
  }

  return {
    element: h("div", { class: "view history-view" }, h("div", { class: "page" }, h("header", { class: "page-head" }, h("h1", {}, "History"), h("p", { class: "muted" }, "Every request, what was served and why.")), figures, h("div", { class: "search" }, icon("search"), search), h("div", { class: "history-tools" }, count, h("div", { class: "grow" }), h("label", { class: "labelled inline" }, looks, h("span", {}, "Show look-ups too"))), list)),
    title: "History",
    show({ params }) {
      const q = params.get("q") ?? "";
      if (document.activeElement !== search) search.value = q;
      looks.checked = Boolean(params.get("looks"));
      load(q, looks.checked);
      loadFigures();
    },
    focusSearch: () => search.focus(),
  };
}

function figuresOf(told) {
  const known = [
    ["Tracks", told.tracks, number],
    ["Requests", told.requests, number],
    ["Served from the catalog", told.hit_rate, percent],
    ["Generating saved", told.saved_s, span],
    ["On disk", told.disk_bytes, bytes],
  ];
  return known.filter(([, value]) => typeof value === "number").map(([term, value, shown]) => h("div", {}, h("dt", {}, term), h("dd", {}, shown(value))));
}

function line(one) {
  const [picture, word] = ACTIONS[one.action] ?? ["below", one.action];
  const params = new URLSearchParams(here().params);
  params.set("track", one.track_id ?? "");
  const text = one.summary || one.query || one.prompt;
  return h(
    "li",
    { class: `history-line is-${one.action}` },
    one.track_id ? playButton({ id: one.track_id, summary: one.summary, style: one.style }) : h("span", { class: "play-gap" }),
    h("div", { class: "history-text" }, h("p", { class: "history-title" }, one.track_id ? h("a", { href: address("history", params) }, text) : text), h("p", { class: "muted small" }, [one.rejected && "Said not to fit", one.answer_rating && `Rated ${one.answer_rating} of 5`, one.reason].filter(Boolean).join(" · "))),
    h("p", { class: "history-action" }, icon(picture), word, one.score !== null && one.score !== undefined && h("span", { class: "muted numbers" }, score(one.score))),
    h("p", { class: "muted small history-style" }, [name(one.style), name(one.role)].filter(Boolean).join(" · ")),
    h("time", { class: "muted small", datetime: one.created_at }, when(one.created_at)),
    h("a", { class: "link quiet", href: address("compose", new URLSearchParams({ text: one.summary || one.query })) , "aria-label": `Compose again: ${text}` }, "Compose"),
  );
}
