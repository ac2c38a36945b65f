// A list of any length. It has as many elements as fit the screen, and fetches its items page by page as it is scrolled.

import { h } from "../lib/dom.js";

const PAGE = 60;
const MARGIN = 6; // rows above and below the screen
const KEPT_PAGES = 40;
const PAUSE_MS = 40;
const MOST_AT_ONCE = 500; // items that one call fetches

/** The items of one list, in pages. `load(limit, offset, signal)` fetches {total, items}; "items" says that some came. */
export class Pages extends EventTarget {
  #pages = new Map();
  #abort = new AbortController();
  total = null;

  constructor(load) {
    super();
    this.load = load;
  }

  /** Return an item, or null while it is not here. */
  item(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.items?.[index % PAGE] ?? null;
  }

  /** Return the queue of the player that goes through the list from `index` on. */
  queueAt(index) {
    return {
      at: async (step) => {
        const next = index + step;
        if (next < 0 || next >= (this.total ?? 0)) return null;
        if (!this.item(next)) await this.want(next, next).catch(() => {}); // then there is no next track
        const track = this.item(next);
        return track && { track, queue: this.queueAt(next) };
      },
    };
  }

  /** Fetch the items from `first` to `last` that are neither here nor on their way. */
  async want(first, last) {
    const end = this.total === null ? 0 : Math.min(last, this.total - 1);
    const missing = [];
    for (let page = Math.floor(first / PAGE); page <= Math.floor(Math.max(first, end) / PAGE); page += 1) {
      if (!this.#pages.has(page)) missing.push(page);
    }
    await Promise.all(missing.map((page) => this.#fetch(page)));
  }

  /** Return the items from `first` to `last`, those that were not loaded too. */
  async items(first, last) {
    const found = [];
    for (let at = first; at <= last; ) {
      const known = this.item(at);
      if (known) found[at++ - first] = known;
      else {
        const { items } = await this.load(Math.min(MOST_AT_ONCE, last - at + 1), at, this.#abort.signal);
        if (!items.length) break;
        for (const item of items) found[at++ - first] = item;
      }
    }
    return found;
  }

  async #fetch(page) {
    this.#pages.set(page, { items: null });
    try {
      const { total, items } = await this.load(PAGE, page * PAGE, this.#abort.signal);
      this.total = total;
      this.#pages.set(page, { items });
      for (const old of this.#pages.keys()) {
        if (this.#pages.size <= KEPT_PAGES) break;
        if (Math.abs(old - page) > 2) this.#pages.delete(old);
      }
      this.dispatchEvent(new Event("items"));
    } catch (error) {
      this.#pages.delete(page);
      if (error.name !== "AbortError") throw error;
    }
  }

  /** Replace the item that has the id of this one. */
  replace(item) {
    for (const { items } of this.#pages.values()) {
      const at = items?.findIndex((one) => one.id === item.id) ?? -1;
      if (at >= 0) items[at] = { ...items[at], ...item, shown: undefined };
    }
    this.dispatchEvent(new Event("items"));
  }

  /** Stop fetching what the list asked for. A queue that goes on from here still fetches what comes next. */
  close() {
    this.#abort.abort();
    this.#abort = new AbortController();
  }
}

/** The scrolling list. `make()` returns a row: {element, show(item, index, current), focus(), close()}. */
export class Rows {
  #rows = new Map();
  #height = 64;
  #frame = 0;
  #refill = false; // whether the next frame shows every row again
  #pages = null;
  #fetching = 0;
  #chosen = false; // the reader went to the current row
  current = 0;

  constructor({ label, make, onError }) {
    this.make = make;
    this.onError = onError;
    const choose = (event) => this.#choose(event.target.closest(".row"));
    this.list = h("ul", { class: "rows-list", role: "list", "aria-label": label, onfocusin: choose, onpointerdown: choose });
    this.element = h("div", { class: "rows", onscroll: () => this.#soon(false) }, this.list);
    new ResizeObserver(() => this.#measure()).observe(this.element);
  }

  get pages() {
    return this.#pages;
  }

  /** Show another list, from its start or, with `keep`, from where the last one was scrolled to. */
  show(pages, { keep = false } = {}) {
    this.#pages?.close();
    this.#pages = pages;
    pages.addEventListener("items", () => pages === this.#pages && this.#soon(true));
    if (!keep) {
      this.element.scrollTop = 0;
      this.current = 0;
      this.#chosen = false;
    }
    this.#render(true);
  }

  refresh() {
    this.#render(true);
  }

  /** Make a row the current one: scroll to it and, with `focus`, focus it. */
  select(index, { focus = true } = {}) {
    const total = this.#pages?.total ?? 0;
    if (!total) return;
    this.current = Math.min(total - 1, Math.max(0, index));
    this.#chosen = true;
    const top = this.current * this.#height;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) this.element.scrollTop = top + this.#height - clientHeight;
    this.#render(true);
    if (focus) this.#rows.get(this.current)?.focus();
  }

  currentItem() {
    return this.#pages?.item(this.current) ?? null;
  }

  /** Return the item of the current row, or null where the reader did not go to it or it is out of sight. */
  chosenItem() {
    const { scrollTop, clientHeight } = this.element;
    const middle = (this.current + 0.5) * this.#height;
    return this.#chosen && middle > scrollTop && middle < scrollTop + clientHeight ? this.currentItem() : null;
  }

  #choose(row) {
    const index = Number(row?.dataset.index ?? NaN);
    if (Number.isNaN(index) || (this.#chosen && index === this.current)) return;
    this.current = index;
    this.#chosen = true;
    this.#render(true);
  }

  #measure() {
    const height = parseFloat(getComputedStyle(this.element).getPropertyValue("--row-height")) || 64;
    if (height !== this.#height) {
      this.element.scrollTop = (this.element.scrollTop / this.#height) * height;
      this.#height = height;
    }
    this.#render(true);
  }

  /** Render in the next frame, once for all that changed until then. */
  #soon(refill) {
    this.#refill ||= refill;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const all = this.#refill;
      this.#refill = false;
      this.#render(all);
    });
  }

  /** Add the rows that came into sight and remove the others; with `refill` show those in sight again. */
  #render(refill) {
    const pages = this.#pages;
    if (!pages) return;
    const { scrollTop, clientHeight } = this.element;
    const total = pages.total ?? 0;
    const first = Math.max(0, Math.floor(scrollTop / this.#height) - MARGIN);
    const last = Math.min(total - 1, Math.ceil((scrollTop + clientHeight) / this.#height) + MARGIN);
    this.list.style.height = `${total * this.#height}px`;
    this.#remove(first, last, total);
    for (let index = first; index <= last; index += 1) {
      const known = this.#rows.get(index);
      const row = known ?? this.#add(index);
      if (refill || !known) this.#fill(row, index);
      row.element.setAttribute("aria-setsize", total);
    }
    // While the reader scrolls fast, pages pass by; only those where the scrolling pauses are fetched.
    clearTimeout(this.#fetching);
    this.#fetching = setTimeout(() => pages.want(first, last).catch((error) => this.onError?.(error)), pages.total === null ? 0 : PAUSE_MS);
  }

  #remove(first, last, total) {
    for (const [index, row] of this.#rows) {
      if (index >= first && index <= last) continue;
      // The focused row stays, so that the keyboard does not lose its place.
      if (index === this.current && row.element.contains(document.activeElement) && index < total) continue;
      row.close();
      row.element.remove();
      this.#rows.delete(index);
    }
  }

  #add(index) {
    const row = this.make();
    row.element.dataset.index = index;
    row.element.setAttribute("aria-posinset", index + 1);
    this.#rows.set(index, row);
    this.#insert(row.element, index);
    return row;
  }

  #fill(row, index) {
    row.element.style.transform = `translateY(${index * this.#height}px)`;
    row.show(this.#pages.item(index), index, index === this.current);
    row.element.classList.toggle("is-chosen", this.#chosen && index === this.current);
  }

  /** Insert an element where it stands in the list: the order of elements is the order of tabbing and of reading aloud. */
  #insert(element, index) {
    let after = null;
    for (const sibling of this.list.children) {
      if (Number(sibling.dataset.index) > index) {
        after = sibling;
        break;
      }
    }
    this.list.insertBefore(element, after);
  }
}
