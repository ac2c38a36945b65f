// The selected tracks, and the bar of what can be done to all of them.

import { aborted } from "../../lib/api.js";
import { announce, button, fill, h, options } from "../../lib/dom.js";
import { rate, restore, tag, trash } from "../../lib/edits.js";
import { number } from "../../lib/format.js";
import { here } from "../../lib/route.js";
import { complain } from "../../lib/toast.js";
import { addToPlaylist } from "../../parts/collections/add.js";

const RATINGS = [["", "Rate…"], ...[5, 4, 3, 2, 1].map((rating) => [rating, `${rating} of 5`]), [0, "No rating"]];

export class Selection {
  element = h("div", { class: "bulk", role: "toolbar", "aria-label": "Selected tracks", hidden: true });
  #tracks = new Map(); // id -> track
  #lastChecked = null; // index of a row
  #rows;

  constructor(rows) {
    this.#rows = rows;
  }

  get size() {
    return this.#tracks.size;
  }

  get tracks() {
    return [...this.#tracks.values()];
  }

  has(id) {
    return this.#tracks.has(id);
  }

  /** Select a row or take it out; with `range` all rows from the last one that was checked. */
  async check(index, on, range) {
    const from = range ? this.#lastChecked ?? index : index;
    this.#lastChecked = index;
    await this.#setRange(Math.min(from, index), Math.max(from, index), on);
  }

  /** Select every track of the list, or none where all are selected. */
  async all() {
    const { pages } = this.#rows;
    if (pages?.total) await this.#setRange(0, pages.total - 1, true);
  }

  /** Select or take out rows, those too that were never in sight. */
  async #setRange(first, last, on) {
    try {
      for (const track of await this.#rows.pages.items(first, last)) this.#set(track, on);
    } catch (error) {
      if (!aborted(error)) complain(error);
    }
    this.#changed();
  }

  toggle(track, index) {
    this.#lastChecked = index;
    this.#set(track, !this.has(track.id));
    this.#changed();
  }

  /** Take over a changed track, if it is selected. */
  replace(track) {
    if (this.has(track.id)) this.#tracks.set(track.id, track);
  }

  /** Take tracks out that are no longer in the list. */
  remove(ids) {
    for (const id of ids) this.#tracks.delete(id);
    this.#show();
  }

  clear() {
    this.#tracks.clear();
    this.#lastChecked = null;
    this.#changed();
  }

  #set(track, on) {
    if (on) this.#tracks.set(track.id, track);
    else this.#tracks.delete(track.id);
  }

  #changed() {
    this.#show();
    this.#rows.refresh();
    announce(`${number(this.size)} selected`);
  }

  #show() {
    this.element.hidden = !this.size;
    if (!this.size) return;
    fill(
      this.element,
      h("strong", {}, `${number(this.size)} selected`),
      here().params.get("trashed") ? button("Restore", () => restore(this.tracks), { icon: "restore" }) : [this.#rating(), this.#tagging(), button("Add to playlist", () => addToPlaylist(this.tracks), { icon: "plus" }), this.#downloads(), button("Trash", () => trash(this.tracks), { icon: "trash" })],
      this.size === 2 && button("Compare", async () => (await import("../../parts/compare.js")).compareInDialog(this.tracks)),
      h("div", { class: "grow" }),
      button("Clear", () => this.clear()),
    );
  }

  #downloads() {
    const place = h("span");
    const ids = [...this.#tracks.keys()];
    import("../../parts/download.js").then(({ downloadMenu }) => fill(place, downloadMenu({ ids })), complain);
    return place;
  }

  #rating() {
    const select = h("select", { class: "select", "aria-label": "Rate the selected tracks", onchange: () => select.value && (rate(this.tracks, Number(select.value) || null), (select.value = "")) }, options(RATINGS));
    return select;
  }

  #tagging() {
    const input = h("input", { class: "input", placeholder: "Add a tag", "aria-label": "Add a tag to the selected tracks", maxlength: "60" });
    const add = () => {
      const word = input.value.trim();
      input.value = "";
      if (word) tag(this.tracks, word);
    };
    const submit = (event) => {
      event.preventDefault();
      add();
    };
    return h("form", { class: "bulk-tag", onsubmit: submit }, input, button("Tag", add));
  }
}
