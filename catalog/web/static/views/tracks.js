// The list of tracks: search as you type, facets, sort, and changes to many at once.

import { get } from "../lib/api.js";
import { announce, fill, h, iconButton } from "../lib/dom.js";
import { edits } from "../lib/edits.js";
import { plural } from "../lib/format.js";
import { listQuery } from "../lib/language.js";
import { player } from "../lib/player/player.js";
import { change, here } from "../lib/route.js";
import { addToPlaylist } from "../parts/collections/add.js";
import { complain } from "../lib/toast.js";
import { notLoaded } from "../parts/connection.js";
import { FacetPanel } from "../parts/facets.js";
import { TrackRow } from "../parts/row.js";
import { Folded } from "../parts/folded.js";
import { Rows } from "../parts/rows.js";
import { filterChips } from "./tracks/chips.js";
import { emptyText } from "./tracks/empty.js";
import { SearchField } from "./tracks/search.js";
import { Selection } from "./tracks/selection.js";
import { ListTools } from "./tracks/tools.js";

const BEST = 200; // tracks that the service keeps of a search
const STEP = 8; // rows of PageUp and PageDown

export class TracksView {
  title = "Tracks";
  #wanted = null; // query of the list that is shown or on its way, as JSON; null when it could not be loaded
  #shown = null; // query of the list that is shown
  #trashed = null; // whether the trash is shown; what is selected here is no choice there
  #open = new Set(); // ids of the tracks whose takes are shown
  #coming = null; // pages of the list that is on its way
  rows = new Rows({ label: "Tracks", make: () => new TrackRow(this.#list()), onError: (error) => this.#search.showProblem(error) });
  #selection = new Selection(this.rows);
  #search = new SearchField({ onDown: () => this.rows.select(this.rows.current) });
  #tools = new ListTools({ onFilters: () => this.#showFilters(), onSelect: () => this.element.classList.toggle("selecting") });
  #collections = h("div"); // filled when its module has come
  #collectionList = null;
  #facets = new FacetPanel();
  #closeFilters = iconButton("close", "Close the filters", () => this.#showFilters(false));
  #found = h("span", { class: "muted" });
  #chips = h("div", { class: "chips" });
  #empty = h("div", { class: "empty", hidden: true });
  element = h(
    "div",
    { class: "view tracks" },
    h("h1", { class: "sr" }, "Tracks"),
    // Before the filters, so that the search is the first stop of the keyboard.
    h(
      "div",
      { class: "list-pane" },
      h("div", { class: "list-head" }, this.#search.elements, this.#tools.element, this.#chips),
      h("div", { class: "rows-area" }, this.rows.element, this.#empty),
      this.#selection.element,
    ),
    h("div", { class: "scrim", onclick: () => this.#showFilters(false) }),
    h("div", { class: "side" }, h("div", { class: "side-head" }, h("h2", {}, "Filters"), this.#found, this.#closeFilters), this.#collections, this.#facets.element),
  );

  constructor() {
    import("../parts/collections/collections.js").then(({ CollectionList }) => {
      this.#collectionList = new CollectionList();
      this.#collections.append(this.#collectionList.element);
      this.#collectionList.show();
    }, complain);
    // Music is dropped on the list; what asks for its licence comes when it is needed.
    this.element.addEventListener("dragover", (event) => [...event.dataTransfer.types].includes("Files") && event.preventDefault());
    this.element.addEventListener("drop", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      const files = [...event.dataTransfer.files];
      import("./tracks/adding.js").then(({ askMusic }) => askMusic(files), complain);
    });
    edits.addEventListener("edited", ({ detail: track }) => {
      this.#selection.replace(track);
      this.rows.pages?.replace(track);
    });
    for (const name of ["gone", "back"]) {
      edits.addEventListener(name, ({ detail: ids }) => {
        this.#selection.remove(ids);
        this.#load({ keep: true });
      });
    }
    edits.addEventListener("made", () => this.#load({ keep: true }));
  }

  show({ params }) {
    this.#search.show(params.get("q") ?? "");
    this.element.classList.toggle("has-query", Boolean(params.get("q")));
    this.#tools.show(params);
    this.#collectionList?.show();
    fill(this.#chips, filterChips(params));
    if (this.#wanted !== JSON.stringify(listQuery(params))) {
      if (this.#trashed !== params.get("trashed")) this.#selection.clear();
      this.#trashed = params.get("trashed");
      this.#load({ keep: this.#shown === JSON.stringify(listQuery(params)) });
    } else this.rows.refresh();
  }

  focusSearch() {
    this.#search.focus();
  }

  get keys() {
    const { rows } = this;
    const current = rows.currentItem();
    return {
      ArrowDown: () => rows.select(rows.current + 1),
      ArrowUp: () => rows.select(rows.current - 1),
      Home: () => rows.select(0),
      End: () => rows.select((rows.pages?.total ?? 1) - 1),
      PageDown: () => rows.select(rows.current + STEP),
      PageUp: () => rows.select(rows.current - STEP),
      Enter: () => current && change({ track: current.id }),
      t: () => this.#unfold(rows.current),
      x: () => current && this.#selection.toggle(current, rows.current),
    };
  }

  /** The tracks that a key changes: the selected ones, else the row that the reader went to, if it is in sight. */
  get chosen() {
    return this.#selection.size ? this.#selection.tracks : [this.rows.chosenItem()].filter(Boolean);
  }

  selectAll() {
    this.#selection.all();
  }

  /** Give the selection up; returns false where there is none. */
  escape() {
    const any = this.#selection.size > 0;
    if (any) this.#selection.clear();
    return any;
  }

  /** Play or pause. With another track's row in focus, play that track. */
  playCurrent() {
    const current = this.rows.currentItem();
    const focused = document.activeElement?.closest?.(".row") ? current : null;
    const play = () => player.play(current, { queue: this.rows.pages.queueAt(this.rows.current) });
    if (focused && !player.isCurrent(focused)) play();
    else if (player.track) player.toggle();
    else if (current) play();
  }

  /** What a row needs of the list. */
  #list() {
    return {
      queue: (index) => this.rows.pages.queueAt(index),
      isSelected: (id) => this.#selection.has(id),
      isOpen: (id) => here().params.get("track") === id,
      onOpen: (track, index) => {
        this.rows.select(index, { focus: false });
        change({ track: track.id });
      },
      onUnfold: (index) => this.#unfold(index),
      onAdd: (track) => addToPlaylist([track]),
      onSelect: (index, track, event) => this.#selection.check(index, event.target.checked, event.shiftKey),
    };
  }

  /** Show or hide the takes of a row. */
  #unfold(index) {
    const { rows } = this;
    const first = rows.pages.toggle(index);
    if (first === null) return;
    const { folds, isOpen } = rows.pages.item(first);
    if (rows.current !== first) rows.select(first);
    announce(isOpen ? `${plural(folds, "more take")} shown` : "Takes hidden");
  }

  #showFilters(on = !this.element.classList.contains("facets-open")) {
    this.element.classList.toggle("facets-open", on);
    this.#tools.showFiltersOpen(on);
    if (on) this.#closeFilters.focus();
    else this.#tools.focusFilters();
  }

  /** Load the list of the address. The old one stays in sight until then, so that nothing flickers while the reader types. */
  async #load({ keep = false } = {}) {
    const wanted = listQuery(here().params);
    this.#wanted = JSON.stringify(wanted);
    this.#coming?.close();
    let first = null;
    const pages = (this.#coming = new Folded(async (limit, offset, signal) => {
      const page = await get("/tracks", { ...wanted, folded: "true", limit, offset }, signal);
      first ??= page;
      return { total: page.rows ?? page.total, items: page.tracks };
    }, this.#open));
    this.element.setAttribute("aria-busy", "true");
    try {
      await pages.want(0, 0);
    } catch (error) {
      if (this.#coming === pages) this.#failed(error);
    }
    if (this.#coming !== pages) return;
    this.#coming = null;
    this.element.removeAttribute("aria-busy");
    if (first) this.#showList(pages, first, wanted, keep);
  }

  /** Say that the list could not be loaded. It is wanted again as soon as the view is shown anew. */
  #failed(error) {
    this.#wanted = null;
    this.#search.showProblem(error);
    if (this.#shown !== null) return;
    this.#empty.hidden = false;
    fill(this.#empty, notLoaded(error, () => this.#load()));
  }

  #showList(pages, first, wanted, keep) {
    this.#shown = JSON.stringify(wanted);
    const { total, facets } = first;
    const count = (wanted.by && total === BEST ? "Best " : "") + plural(total, "track") + (wanted.trashed ? " in the trash" : "");
    this.#search.clearProblem();
    this.#search.showMeant(first);
    this.rows.show(pages, { keep });
    this.#facets.show(facets);
    this.#tools.showCount(count);
    this.#found.textContent = count;
    announce(count);
    this.#empty.hidden = total > 0;
    if (!total) fill(this.#empty, emptyText(wanted, this.#search.text));
  }
}
