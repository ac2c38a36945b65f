// A collection: a playlist in its own order, or a saved search as it is now.

import { get } from "../lib/api.js";
import { collections } from "../lib/collections.js";
import { announce, button, fill, h } from "../lib/dom.js";
import { edits } from "../lib/edits.js";
import { plural } from "../lib/format.js";
import { player } from "../lib/player/player.js";
import { change, here } from "../lib/route.js";
import { complain, toast } from "../lib/toast.js";
import { CollectionList } from "../parts/collections/collections.js";
import { notLoaded } from "../parts/connection.js";
import { downloadMenu } from "../parts/download.js";
import { askName } from "../parts/collections/name_dialog.js";
import { Pages, Rows } from "../parts/rows.js";
import { followDrag } from "./collection/drag.js";
import { CollectedRow } from "./collection/row.js";

export class CollectionView {
  title = "Collection";
  #id = null;
  #own = null; // the collection
  #coming = null;
  #steps = null; // that a key asked for while a track is on its way, null while none is
  rows = new Rows({ label: "Tracks of the collection", make: () => new CollectedRow(this.#list()), onError: complain });
  #side = new CollectionList();
  #head = h("div", { class: "list-head" });
  #empty = h("div", { class: "empty", hidden: true });
  element = h(
    "div",
    { class: "view tracks collection" },
    h("div", { class: "list-pane" }, this.#head, h("div", { class: "rows-area" }, this.rows.element, this.#empty)),
    h("div", { class: "side" }, this.#side.element),
  );

  constructor() {
    edits.addEventListener("edited", ({ detail: track }) => this.rows.pages?.replace(track));
    for (const name of ["gone", "back", "made"]) edits.addEventListener(name, () => this.#load({ keep: true }));
    collections.addEventListener("changed", ({ detail: id }) => id === this.#id && collections.all.some((one) => one.id === id) && this.#load({ keep: true }));
  }

  show({ params }) {
    this.#side.show();
    const id = params.get("id");
    if (id === this.#id && this.#own) return this.rows.refresh();
    this.#id = id;
    this.#own = null;
    return this.#load();
  }

  get keys() {
    const { rows } = this;
    return {
      ArrowDown: () => rows.select(rows.current + 1),
      ArrowUp: () => rows.select(rows.current - 1),
      Home: () => rows.select(0),
      End: () => rows.select((rows.pages?.total ?? 1) - 1),
      Enter: () => rows.currentItem() && change({ track: rows.currentItem().id }),
    };
  }

  get chosen() {
    return [this.rows.chosenItem()].filter(Boolean);
  }

  playCurrent() {
    const focused = document.activeElement?.closest?.(".row") ? this.rows.currentItem() : null;
    if (focused && !player.isCurrent(focused)) player.play(focused, { queue: this.#queue(this.rows.current) });
    else if (player.track) player.toggle();
    else this.#playAll();
  }

  #list() {
    return {
      queue: (index) => this.#queue(index),
      isSelected: () => false,
      isOpen: (id) => here().params.get("track") === id,
      onOpen: (track, index) => {
        this.rows.select(index, { focus: false });
        change({ track: track.id });
      },
      isPlaylist: () => Boolean(this.#own?.track_ids),
      onOut: (track) => collections.takeOut(this.#own, [track]),
      onMove: (index, steps) => this.#moveBy(index, steps),
      onDrag: (event, index) => followDrag(event, index, this.rows, (to) => this.#move(index, to)),
    };
  }

  /** The order in which it plays from `index` on; what is in the trash is passed over. */
  #queue(index, pages = this.rows.pages) {
    const at = async (step) => {
      let place = index;
      let found = null;
      for (let left = Math.abs(step); left > 0; ) {
        found = await pages.queueAt(place).at(Math.sign(step));
        if (!found) return null;
        place += Math.sign(step);
        if (found.track.state !== "trashed") left -= 1;
      }
      return found && { track: found.track, queue: this.#queue(place, pages) };
    };
    return { at };
  }

  async #playAll() {
    const first = await this.#queue(-1).at(1);
    if (first) player.play(first.track, { queue: first.queue, fraction: 0 });
  }

  /** Move by keys. Those pressed before the list is shown anew move the same track on. */
  async #moveBy(index, steps) {
    if (this.#steps !== null) return void (this.#steps += steps);
    for (let from = index, by = steps; by; by = this.#steps) {
      this.#steps = 0;
      const to = Math.min(this.rows.pages.total - 1, Math.max(0, from + by));
      if (to !== from) await this.#move(from, to);
      from = to;
    }
    this.#steps = null;
  }

  async #move(from, to) {
    const { pages } = this.rows;
    const track = pages.item(from);
    if (!track || to < 0 || to >= pages.total) return;
    const [before] = await pages.items(to + (to > from ? 1 : 0), to + (to > from ? 1 : 0)).catch(() => []);
    if (!(await collections.move(this.#own, track, before))) return;
    await this.#load({ keep: true });
    this.rows.select(to, { focus: false });
    this.rows.list.querySelector(`[data-index="${to}"] .row-handle`)?.focus();
    announce(`Moved to ${to + 1} of ${this.rows.pages.total}`);
  }

  async #load({ keep = false } = {}) {
    const id = this.#id;
    if (here().view !== "collection") {
      this.#own = null; // asked again when it is shown
      return;
    }
    if (!id) return this.#failed({ status: 404 });
    this.#coming?.close();
    let first = null;
    const pages = (this.#coming = new Pages(async (limit, offset, signal) => {
      const page = await get(`/collections/${encodeURIComponent(id)}/tracks`, { limit, offset }, signal);
      first ??= page;
      return { total: page.total, items: page.tracks };
    }));
    try {
      await pages.want(0, 0);
    } catch (error) {
      if (this.#coming === pages) this.#failed(error);
    }
    if (this.#coming !== pages || !first) return;
    this.#coming = null;
    this.#own = first.collection;
    this.rows.show(pages, { keep });
    this.#showHead(first.total);
  }

  #failed(error) {
    this.#own = null;
    this.#empty.hidden = false;
    fill(this.#head, h("a", { href: "#/tracks" }, "All tracks"));
    this.rows.show(new Pages(async () => ({ total: 0, items: [] })));
    if (error.status === 404 || error.status === 422) fill(this.#empty, h("h2", {}, "This collection is not there"), h("p", {}, "It was deleted, or the link is not complete."));
    else fill(this.#empty, notLoaded(error, () => this.#load()));
  }

  #showHead(total) {
    const own = this.#own;
    const length = plural(total, "track") + (own.query === null ? "" : ", as the search finds them now");
    fill(
      this.#head,
      h("a", { class: "back-link", href: "#/tracks" }, "All tracks"),
      h("h1", { dir: "auto" }, own.name),
      h(
        "div",
        { class: "list-tools" },
        h("p", { class: "count", id: "collection-count" }, length),
        h("div", { class: "grow" }),
        total > 0 && button("Play all", () => this.#playAll(), { icon: "play", class: "button primary" }),
        total > 0 && downloadMenu({ collection: own.id }),
        button("Copy link", copyLink, { icon: "copy" }),
        own.query !== null && button("Edit the search", () => this.#edit()),
        button("Rename", () => this.#rename()),
        button("Delete", () => this.#delete(), { icon: "trash" }),
      ),
    );
    this.#empty.hidden = total > 0;
    if (!total) fill(this.#empty, h("h2", {}, own.query === null ? "No tracks yet" : "Nothing matches now"), h("p", {}, own.query === null ? "Add tracks from the list: the plus in a row, or P." : "It fills as soon as a track fits."));
    announce(`${own.name}, ${length}`);
  }

  #rename() {
    const { id, name } = this.#own;
    askName({ heading: "Rename", label: "Name", value: name, does: "Rename", submit: (text) => collections.rename(id, text) });
  }

  #edit() {
    const { id, query } = this.#own;
    askName({ heading: "Edit the search", label: "Search", value: query, does: "Keep", most: 2000, refused: null, submit: (text) => collections.editSearch(id, text) });
  }

  async #delete() {
    if (await collections.remove(this.#own)) change({}, { view: "tracks" });
  }
}

async function copyLink() {
  const { params } = here();
  const address = `${location.href.split("#")[0]}#/collection?id=${params.get("id")}`;
  try {
    await navigator.clipboard.writeText(address);
    toast("The link is copied. Whoever can open this catalog can open it.", { slot: "change" });
  } catch {
    toast(`The link: ${address}`, { slot: "change" });
  }
}
