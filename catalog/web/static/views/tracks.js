// The list of tracks: search as you type, facets, sort, and what can be done to many at once.

import { get } from "../lib/api.js";
import { announce, button, debounced, fill, h, icon, iconButton } from "../lib/dom.js";
import { change as edit, changeAll, edits, restore, trash } from "../lib/edits.js";
import { facetPanel, label } from "../parts/facets.js";
import { number, plural, title } from "../lib/format.js";
import { FACETS, hasWords, queryOf } from "../lib/language.js";
import { player } from "../lib/player.js";
import { change, here } from "../lib/route.js";
import { trackRow } from "../parts/row.js";
import { Pages, Rows } from "../parts/rows.js";
import { complain } from "../lib/toast.js";

const TYPING_MS = 140;
const BEST = 200; // how many rows of a search are shown: beyond them nothing is near any more
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
  ["both", "Both"],
  ["meaning", "Meaning"],
  ["words", "Words"],
];

/** Return a queue that goes through `pages` from `index` on. */
export function queueOf(pages, index) {
  return {
    async at(step) {
      const next = index + step;
      if (next < 0 || next >= (pages.total ?? 0)) return null;
      if (!pages.item(next)) await pages.want(next, next).catch(() => {});
      const track = pages.item(next);
      return track && { track, queue: queueOf(pages, next) };
    },
  };
}

export function tracksView() {
  const selected = new Map(); // id -> track
  let lastChecked = null;
  let asked = null;
  let coming = null;

  const search = h("input", {
    type: "search",
    id: "search",
    class: "search-input",
    placeholder: "Describe a scene, or narrow it: calm water mood:peaceful length:10..30",
    "aria-label": "Search tracks by meaning and words",
    autocomplete: "off",
    spellcheck: "false",
    enterkeyhint: "search",
    "aria-describedby": "search-problem",
  });
  const problem = h("p", { id: "search-problem", class: "field-problem", role: "alert" });
  const typed = debounced(() => change({ q: search.value.trim() }, { view: "tracks", replace: true }), TYPING_MS);
  search.addEventListener("input", typed);
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      rows.select(rows.current);
    }
  });

  const ways = h("select", { id: "by", class: "select", "aria-label": "Search by", onchange: () => change({ by: ways.value === "both" ? null : ways.value }) }, options(WAYS));
  const sort = h("select", { id: "sort", class: "select", "aria-label": "Sort by", onchange: () => change({ sort: sort.value }) }, options(SORTS));
  const filterButton = h("button", { type: "button", class: "button filter-button", "aria-expanded": "false", "aria-controls": "facets", onclick: () => showFacets() }, icon("filter"), h("span", {}, "Filters"));
  const count = h("p", { class: "count", id: "count" });
  const chips = h("div", { class: "chips" });
  const back = h("button", { type: "button", class: "link", onclick: () => change({ trashed: null, track: null }) }, "Back to the catalog");
  const menu = h("details", { class: "menu" }, h("summary", { class: "icon-button", "aria-label": "More", title: "More" }, icon("more")));
  menu.addEventListener("toggle", () => {
    menu.querySelector(".menu-list")?.remove();
    if (!menu.open) return;
    const shut = () => (menu.open = false);
    const formats = [["m3u", "Playlist of this list, .m3u"], ["csv", "Table of this list, .csv"], ["jsonl", "Everything in this list, .jsonl"]];
    const links = formats.map(([format, text]) => h("a", { href: `/api/export?${new URLSearchParams({ format, q: queryOf(here().params) })}`, download: "", onclick: shut }, text));
    const trashed = here().params.get("trashed");
    menu.append(h("div", { class: "menu-list" }, links, h("a", { href: trashed ? "#/tracks" : "#/tracks?trashed=1", onclick: shut }, trashed ? "Back to the catalog" : "Open the trash")));
  });
  menu.addEventListener("focusout", (event) => event.relatedTarget && !menu.contains(event.relatedTarget) && (menu.open = false));
  addEventListener("click", (event) => menu.contains(event.target) || (menu.open = false));

  const facets = facetPanel();
  facets.element.id = "facets";
  const side = h("div", { class: "side" }, h("div", { class: "side-head" }, h("h2", {}, "Filters"), iconButton("close", "Close the filters", () => showFacets(false))), facets.element);

  const list = {
    queue: (index) => queueOf(rows.pages, index),
    isSelected: (id) => selected.has(id),
    isOpen: (id) => here().params.get("track") === id,
    onOpen(track, index) {
      rows.select(index, { focus: false });
      change({ track: track.id });
    },
    onSelect(index, track, event) {
      const on = event.target.checked;
      const [from, to] = event.shiftKey && lastChecked !== null ? [Math.min(lastChecked, index), Math.max(lastChecked, index)] : [index, index];
      for (let at = from; at <= to; at += 1) {
        const one = rows.pages.item(at);
        if (one) on ? selected.set(one.id, one) : selected.delete(one.id);
      }
      lastChecked = index;
      showBulk();
      rows.refresh();
    },
  };
  const rows = new Rows({ label: "Tracks", make: () => trackRow(list), onError: showProblem });
  const empty = h("div", { class: "empty", hidden: true });
  const bulk = h("div", { class: "bulk", role: "toolbar", "aria-label": "Selected tracks", hidden: true });

  const element = h(
    "div",
    { class: "view tracks" },
    h("h1", { class: "sr" }, "Tracks"),
    side,
    h(
      "div",
      { class: "list-pane" },
      h(
        "div",
        { class: "list-head" },
        h("div", { class: "search" }, icon("search"), search, iconButton("close", "Clear the search", clear, { class: "icon-button search-clear" })),
        problem,
        h("div", { class: "list-tools" }, filterButton, count, back, h("div", { class: "grow" }), labelled("Search by", ways), labelled("Sort", sort), menu),
        chips,
      ),
      h("div", { class: "rows-area" }, rows.element, empty),
      bulk,
    ),
  );

  function clear() {
    typed.cancel();
    search.value = "";
    change({ q: null });
    search.focus();
  }

  function showFacets(on = !element.classList.contains("facets-open")) {
    element.classList.toggle("facets-open", on);
    filterButton.setAttribute("aria-expanded", String(on));
    (on ? side.querySelector("button") : filterButton).focus();
  }

  function showProblem(error) {
    if (error.status === 400 || error.status === 422) {
      problem.textContent = error.message;
      return;
    }
    complain(error);
  }

  /** What the address asks the service for. */
  function question(params) {
    const q = queryOf(params);
    const words = hasWords(q);
    return {
      q,
      by: words ? params.get("by") ?? "both" : undefined,
      sort: words ? undefined : params.get("sort") ?? "-created_at",
      trashed: params.get("trashed") ? "true" : undefined,
    };
  }

  /** Ask for the list; what is shown stays until the answer is here, so that typing does not flicker. */
  async function load({ keep = false } = {}) {
    const wanted = question(here().params);
    asked = JSON.stringify(wanted);
    coming?.close();
    let first = null;
    const pages = new Pages(async (limit, offset, signal) => {
      const told = await get("/tracks", { ...wanted, limit, offset }, signal);
      first ??= told;
      return { total: wanted.by ? Math.min(BEST, told.total) : told.total, items: told.tracks };
    });
    coming = pages;
    element.setAttribute("aria-busy", "true");
    try {
      await pages.want(0, 0);
    } catch (error) {
      if (coming === pages) showProblem(error);
    }
    if (coming !== pages) return;
    coming = null;
    element.removeAttribute("aria-busy");
    if (!first) return;
    problem.textContent = "";
    rows.show(pages, { keep });
    facets.show(first.facets);
    count.textContent = wanted.by && first.total > BEST ? `Best ${BEST} of ${plural(first.total, "track")}` : plural(first.total, "track") + (wanted.trashed ? " in the trash" : "");
    announce(count.textContent);
    empty.hidden = first.total > 0;
    if (!first.total) fill(empty, nothing(wanted.q));
  }

  function nothing(query) {
    const trashed = here().params.get("trashed");
    if (query) {
      return [
        h("h2", {}, "Nothing matches"),
        h("p", {}, "Take a filter away, use other words, or have it made."),
        h("div", { class: "empty-actions" }, button("Clear everything", () => change(noFilters())), h("a", { class: "button", href: `#/compose?text=${encodeURIComponent(search.value)}` }, "Compose it")),
      ];
    }
    if (trashed) return [h("h2", {}, "The trash is empty"), h("p", {}, "Tracks you delete wait here until they are purged.")];
    return [h("h2", {}, "No tracks yet"), h("p", {}, "Paste what your application says; a track is made for it and kept."), h("div", { class: "empty-actions" }, h("a", { class: "button primary", href: "#/compose" }, "Compose the first one"))];
  }

  const noFilters = () => ({ q: null, ...Object.fromEntries(Object.keys(FACETS).map((facet) => [facet, null])) });

  function showChips(params) {
    const set = Object.keys(FACETS).flatMap((facet) => params.getAll(facet).map((value) => [facet, value]));
    fill(
      chips,
      set.map(([facet, value]) =>
        h(
          "button",
          { type: "button", class: "chip", "aria-label": `Remove the filter ${FACETS[facet]}: ${label(facet, value)}`, onclick: () => change({ [facet]: params.getAll(facet).filter((one) => one !== value) }) },
          h("span", { class: "chip-key" }, FACETS[facet]),
          label(facet, value),
          icon("close"),
        ),
      ),
      set.length > 1 && h("button", { type: "button", class: "link", onclick: () => change(noFilters()) }, "Clear all"),
    );
    filterButton.querySelector("span").textContent = set.length ? `Filters (${set.length})` : "Filters";
  }

  function showBulk() {
    const some = [...selected.values()];
    const ids = [...selected.keys()];
    const trashed = here().params.get("trashed");
    bulk.hidden = !some.length;
    if (!some.length) return;
    const rate = h("select", { class: "select", "aria-label": "Rate the selected tracks", onchange: () => rate.value && changeAll(some, () => ({ rating: Number(rate.value) })) }, options([["", "Rate…"], ...[5, 4, 3, 2, 1].map((n) => [n, `${n} of 5`])]));
    const tag = h("input", { class: "input", placeholder: "Add a tag", "aria-label": "Add a tag to the selected tracks", maxlength: "60" });
    const addTag = () => {
      const word = tag.value.trim();
      if (word) changeAll(some, (track) => ({ tags: [...new Set([...(track.tags ?? []), word])] })).then((done) => announce(`${plural(done, "track")} tagged`));
      tag.value = "";
    };
    fill(
      bulk,
      h("strong", {}, `${number(some.length)} selected`),
      !trashed && [
        rate,
        h("form", { class: "bulk-tag", onsubmit: (event) => (event.preventDefault(), addTag()) }, tag, button("Tag", addTag)),
        button("Trash", () => trash(ids), { icon: "trash" }),
      ],
      trashed && button("Restore", () => restore(ids), { icon: "restore" }),
      h("div", { class: "grow" }),
      button("Clear", unselect),
    );
  }

  function unselect() {
    selected.clear();
    lastChecked = null;
    showBulk();
    rows.refresh();
  }

  edits.addEventListener("edited", ({ detail }) => {
    if (selected.has(detail.id)) selected.set(detail.id, detail);
    rows.pages?.replace(detail);
  });
  for (const name of ["gone", "back", "made"]) {
    edits.addEventListener(name, ({ detail }) => {
      if (name !== "made") for (const id of detail) selected.delete(id);
      showBulk();
      load({ keep: true });
    });
  }

  return {
    element,
    rows,
    title: "Tracks",
    show({ params }) {
      if (document.activeElement !== search) search.value = params.get("q") ?? "";
      element.classList.toggle("has-query", Boolean(params.get("q")));
      const words = hasWords(queryOf(params));
      ways.value = params.get("by") ?? "both";
      ways.parentElement.hidden = !words;
      // A search comes best first; there is nothing to choose.
      sort.parentElement.hidden = words;
      sort.value = params.get("sort") ?? "-created_at";
      back.hidden = !params.get("trashed");
      showChips(params);
      if (asked !== JSON.stringify(question(params))) {
        if (selected.size) unselect();
        load();
      } else rows.refresh();
    },
    focusSearch() {
      search.focus();
      search.select();
    },
    keys: {
      ArrowDown: () => rows.select(rows.current + 1),
      ArrowUp: () => rows.select(rows.current - 1),
      Home: () => rows.select(0),
      End: () => rows.select((rows.pages?.total ?? 1) - 1),
      PageDown: () => rows.select(rows.current + 8),
      PageUp: () => rows.select(rows.current - 8),
      Enter: () => rows.currentItem() && change({ track: rows.currentItem().id }),
      x: () => {
        const track = rows.currentItem();
        if (!track) return;
        selected.has(track.id) ? selected.delete(track.id) : selected.set(track.id, track);
        showBulk();
        rows.refresh();
      },
      Delete: () => {
        const ids = selected.size ? [...selected.keys()] : rows.currentItem() ? [rows.currentItem().id] : [];
        if (!here().params.get("trashed")) trash(ids);
      },
      ...Object.fromEntries([1, 2, 3, 4, 5].map((n) => [String(n), () => rows.currentItem() && edit(rows.currentItem().id, { rating: n }).then((track) => track && announce(`${title(track)} rated ${n} of 5`))])),
    },
    /** Space: what plays stops; with a row in focus that is another track, that one plays. */
    playCurrent() {
      const track = document.activeElement?.closest?.(".row") ? rows.currentItem() : null;
      if (track && !player.isCurrent(track)) player.play(track, { queue: queueOf(rows.pages, rows.current) });
      else if (player.track) player.toggle();
      else if (rows.currentItem()) player.play(rows.currentItem(), { queue: queueOf(rows.pages, rows.current) });
    },
  };
}

function options(pairs) {
  return pairs.map(([value, text]) => h("option", { value: String(value) }, text));
}

function labelled(text, control) {
  return h("label", { class: "labelled" }, h("span", {}, text), control);
}
