// The line above the list: filters, how many tracks, how to search and sort, and a menu.

import { h, icon, options } from "../../lib/dom.js";
import { hasWords, listQuery, queryOf } from "../../lib/language.js";
import { change, here } from "../../lib/route.js";
import { complain } from "../../lib/toast.js";
import { filterCount } from "./chips.js";

const SORTS = [
  ["-created_at", "Newest"],
  ["created_at", "Oldest"],
  ["-rating", "Best rated"],
  ["duration_s", "Shortest"],
  ["-duration_s", "Longest"],
  ["tempo_bpm", "Slowest"],
  ["-tempo_bpm", "Fastest"],
  ["-energy", "Most energetic"],
  ["energy", "Calmest"],
];
const WAYS = [
  ["both", "Meaning + words"],
  ["meaning", "Meaning"],
  ["words", "Words"],
];
const FORMATS = [
  ["m3u", "Playlist of this list, .m3u"],
  ["csv", "Table of this list, .csv"],
  ["jsonl", "Everything in this list, .jsonl"],
];

export class ListTools {
  #ways = h("select", { id: "by", class: "select", "aria-label": "Search by", onchange: () => change({ by: this.#ways.value === "both" ? null : this.#ways.value }) }, options(WAYS));
  #sort = h("select", { id: "sort", class: "select", "aria-label": "Sort by", onchange: () => change({ sort: this.#sort.value }) }, options(SORTS));
  #searchBy = labelled("Search by", this.#ways);
  #sortBy = labelled("Sort", this.#sort);
  #filterText = h("span", {}, "Filters");
  #filters = h("button", { type: "button", class: "button filter-button", "aria-expanded": "false", "aria-controls": "facets", onclick: () => this.#onFilters() }, icon("filter"), this.#filterText);
  #count = h("p", { class: "count", id: "count" });
  #back = h("button", { type: "button", class: "link", onclick: () => change({ trashed: null, track: null }) }, "Back to the catalog");
  element = h("div", { class: "list-tools" }, this.#filters, this.#count, this.#back, h("div", { class: "grow" }), this.#searchBy, this.#sortBy, menu(() => this.#onSelect()));
  #onFilters;
  #onSelect;

  /** `onFilters` opens or closes the filters where they have no room beside the list, `onSelect` shows boxes to check where rows have no room for them. */
  constructor({ onFilters, onSelect }) {
    this.#onFilters = onFilters;
    this.#onSelect = onSelect;
  }

  /** Show what the address asks for. A search comes best first, so there is no order to choose. */
  show(params) {
    const words = hasWords(queryOf(params));
    const filters = filterCount(params);
    this.#ways.value = params.get("by") ?? "both";
    this.#searchBy.hidden = !words;
    this.#sort.value = params.get("sort") ?? "-created_at";
    this.#sortBy.hidden = words;
    this.#back.hidden = !params.get("trashed");
    this.#filterText.textContent = filters ? `Filters (${filters})` : "Filters";
  }

  showCount(text) {
    this.#count.textContent = text;
  }

  showFiltersOpen(open) {
    this.#filters.setAttribute("aria-expanded", String(open));
  }

  focusFilters() {
    this.#filters.focus();
  }
}

function labelled(text, control) {
  return h("label", { class: "labelled" }, h("span", {}, text), control);
}

/** Return the menu. Its list is built when it opens, for the query of that moment. */
function menu(onSelect) {
  const element = h("details", { class: "menu" }, h("summary", { class: "icon-button", "aria-label": "More", title: "More" }, icon("more")));
  const close = () => (element.open = false);
  element.addEventListener("toggle", () => {
    element.querySelector(".menu-list")?.remove();
    if (element.open) element.append(menuList(close, onSelect));
  });
  element.addEventListener("focusout", (event) => event.relatedTarget && !element.contains(event.relatedTarget) && close());
  addEventListener("click", (event) => element.contains(event.target) || close());
  return element;
}

function menuList(close, onSelect) {
  const { params } = here();
  const trashed = params.get("trashed");
  const query = Object.entries({ ...listQuery(params), narrow: undefined }).filter(([, value]) => value);
  const exported = ([format, text]) => h("a", { href: `api/export?${new URLSearchParams([["format", format], ...query])}`, download: "", onclick: close }, text);
  return h(
    "div",
    { class: "menu-list" },
    h("button", { type: "button", onclick: () => (import("./adding.js").then(({ askMusic }) => askMusic(), complain), close()) }, "Add music from files"),
    h("button", { type: "button", class: "select-mode", onclick: () => (onSelect(), close()) }, "Select tracks"),
    FORMATS.map(exported),
    h("a", { href: trashed ? "#/tracks" : "#/tracks?trashed=1", onclick: close }, trashed ? "Back to the catalog" : "Open the trash"),
  );
}
