// A list whose tracks have their other takes folded under them, in virtual rows: a group opens and closes in its place.

import { Pages } from "./rows.js";

/** Like `Pages`, of items that may have `takes`. `open` has the ids of the groups that are open; it outlives the list. */
export class Folded extends EventTarget {
  #base;
  #open;
  #groups = []; // those that are open: {id, at, size}, `at` is the index of the first without any take; in order

  constructor(load, open) {
    super();
    this.#open = open;
    this.#base = new Pages(async (limit, offset, signal) => {
      const page = await load(limit, offset, signal);
      page.items.forEach((item, at) => this.#known(item, offset + at));
      return page;
    });
    this.#base.addEventListener("items", () => this.dispatchEvent(new Event("items")));
  }

  get total() {
    const { total } = this.#base;
    return total === null ? null : this.#groups.reduce((sum, group) => sum + group.size, total);
  }

  /** Return an item, or null while it is not here. Of a first, `folds` is its number of takes and `isOpen` whether they are shown; `isTake` marks a take. */
  item(index) {
    const { at, take } = this.#place(index);
    const first = this.#base.item(at);
    if (take === null) return first?.takes?.length ? this.#marked(first) : first;
    const one = first?.takes?.[take];
    return one ? Object.assign(one, { isTake: true }) : null;
  }

  /** Open or close the group of the row; returns the index of its first, or null where there is no group. */
  toggle(index) {
    const { at, take } = this.#place(index);
    const first = this.#base.item(at);
    if (!first?.takes?.length) return null;
    if (this.#open.delete(first.id)) this.#groups = this.#groups.filter((group) => group.id !== first.id);
    else {
      this.#open.add(first.id);
      this.#known(first, at);
    }
    this.dispatchEvent(new Event("items"));
    return take === null ? index : index - take - 1;
  }

  /** Return the queue of the player from the row on. It passes over the takes, but for those that stand below this one. */
  queueAt(index) {
    const { at, take } = this.#place(index);
    return take === null ? this.#base.queueAt(at) : this.#queueOfTakes(at, take);
  }

  async want(first, last) {
    await this.#base.want(this.#place(first).at, this.#place(Math.max(first, last)).at);
  }

  /** Return the items of the rows from `first` to `last`, with those that are folded between them; of one row, its own. */
  async items(first, last) {
    if (first === last && this.item(first)) return [this.item(first)];
    const [from, to] = [this.#place(first), this.#place(last)];
    const found = [];
    (await this.#base.items(from.at, to.at)).forEach((one, step) => {
      const at = from.at + step;
      const begin = at === from.at ? from.take ?? -1 : -1;
      const end = at === to.at && this.#open.has(one.id) ? to.take ?? -1 : Infinity;
      found.push(...[one, ...(one.takes ?? [])].filter((_, place) => place - 1 >= begin && place - 1 <= end));
    });
    return found;
  }

  replace(item) {
    for (let at = 0; at < (this.#base.total ?? 0); at += 1) {
      const takes = this.#base.item(at)?.takes;
      const place = takes?.findIndex((take) => take.id === item.id) ?? -1;
      if (place >= 0) takes[place] = item;
    }
    this.#base.replace(item);
  }

  close() {
    this.#base.close();
  }

  #known({ id, takes }, at) {
    if (!this.#open.has(id) || !takes?.length || this.#groups.some((group) => group.id === id)) return;
    this.#groups = [...this.#groups, { id, at, size: takes.length }].sort((a, b) => a.at - b.at);
  }

  #marked(first) {
    const isOpen = this.#open.has(first.id);
    first.shown ??= {};
    // The same object as long as nothing has changed: a row that shows the same track again keeps its elements.
    return (first.shown[isOpen] ??= { ...first, folds: first.takes.length, isOpen });
  }

  /** Return {at, take} of a row: the place of its first without takes, and which take it is, or null for the first. */
  #place(index) {
    let before = 0;
    for (const { at, size } of this.#groups) {
      if (index <= at + before) break;
      if (index <= at + before + size) return { at, take: index - before - at - 1 };
      before += size;
    }
    return { at: index - before, take: null };
  }

  #queueOfTakes(at, take) {
    return {
      at: async (step) => {
        const next = take + step;
        const takes = this.#base.item(at)?.takes ?? [];
        if (takes[next]) return { track: takes[next], queue: this.#queueOfTakes(at, next) };
        if (next === -1) return { track: this.#base.item(at), queue: this.#base.queueAt(at) };
        return next < -1 ? this.#base.queueAt(at).at(next + 1) : this.#base.queueAt(at).at(next - takes.length + 1);
      },
    };
  }
}
