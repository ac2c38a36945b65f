// A list of any length with as many elements as fit the screen, filled page by page as it is scrolled.

import { h } from "../lib/dom.js";

const PAGE = 60;
const MARGIN = 6;
const KEPT_PAGES = 40;

/** The answer to one question: its total, and its items as they come. `load(limit, offset, signal)` gives {total, items}. */
export class Pages extends EventTarget {
  #pages = new Map();
  #abort = new AbortController();
  total = null;

  constructor(load) {
    super();
    this.load = load;
  }

  item(index) {
    return this.#pages.get(Math.floor(index / PAGE))?.items?.[index % PAGE] ?? null;
  }

  /** Make sure that the items from `first` to `last` are here or on their way. */
  async want(first, last) {
    const end = this.total === null ? 0 : Math.min(last, this.total - 1);
    const missing = [];
    for (let page = Math.floor(first / PAGE); page <= Math.floor(Math.max(first, end) / PAGE); page += 1) {
      if (!this.#pages.has(page)) missing.push(page);
    }
    await Promise.all(missing.map((page) => this.#fetch(page)));
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

  /** Put a changed item in the place of the one with its id. */
  replace(item) {
    for (const { items } of this.#pages.values()) {
      const at = items?.findIndex((one) => one.id === item.id) ?? -1;
      if (at >= 0) items[at] = { ...items[at], ...item };
    }
    this.dispatchEvent(new Event("items"));
  }

  close() {
    this.#abort.abort();
  }
}

/** The scrolling list. `make()` gives a row: {element, show(item, index), close()}. */
export class Rows {
  #rows = new Map();
  #height = 64;
  #frame = 0;
  #pages = null;
  #ask = 0;
  current = 0;

  constructor({ label, make, onError, onCurrent }) {
    this.make = make;
    this.onError = onError;
    this.onCurrent = onCurrent;
    this.list = h("ul", { class: "rows-list", role: "list", "aria-label": label });
    this.element = h("div", { class: "rows", onscroll: () => this.#soon() }, this.list);
    new ResizeObserver(() => this.#measure()).observe(this.element);
  }

  get pages() {
    return this.#pages;
  }

  /** Show another list; `keep` leaves the place where it is. */
  show(pages, { keep = false } = {}) {
    this.#pages?.close();
    this.#pages = pages;
    pages.addEventListener("items", () => pages === this.#pages && this.#render(true));
    if (!keep) {
      this.element.scrollTop = 0;
      this.current = 0;
    }
    this.#render(true);
  }

  refresh() {
    this.#render(true);
  }

  /** Make a row the current one: it is scrolled to and, with `focus`, takes the focus. */
  select(index, { focus = true } = {}) {
    const total = this.#pages?.total ?? 0;
    if (!total) return;
    this.current = Math.min(total - 1, Math.max(0, index));
    const top = this.current * this.#height;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) this.element.scrollTop = top + this.#height - clientHeight;
    this.#render(true);
    if (focus) this.#rows.get(this.current)?.focus();
    this.onCurrent?.(this.current);
  }

  currentItem() {
    return this.#pages?.item(this.current) ?? null;
  }

  indexOf(element) {
    const row = element.closest?.(".row");
    return row ? Number(row.dataset.index) : null;
  }

  #measure() {
    const height = parseFloat(getComputedStyle(this.element).getPropertyValue("--row-height")) || 64;
    if (height !== this.#height) {
      this.element.scrollTop = (this.element.scrollTop / this.#height) * height;
      this.#height = height;
    }
    this.#render(true);
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#render(false);
    });
  }

  #render(refill) {
    const pages = this.#pages;
    if (!pages) return;
    const { scrollTop, clientHeight } = this.element;
    const total = pages.total ?? 0;
    const first = Math.max(0, Math.floor(scrollTop / this.#height) - MARGIN);
    const last = Math.min(total - 1, Math.ceil((scrollTop + clientHeight) / this.#height) + MARGIN);
    this.list.style.height = `${total * this.#height}px`;
    for (const [index, row] of this.#rows) {
      if (index < first || index > last) {
        // The focused row stays, so that the keyboard does not lose its place.
        if (index === this.current && row.element.contains(document.activeElement) && index < total) continue;
        row.close();
        row.element.remove();
        this.#rows.delete(index);
      }
    }
    for (let index = first; index <= last; index += 1) {
      let row = this.#rows.get(index);
      if (!row) {
        row = this.make();
        row.element.dataset.index = index;
        row.element.setAttribute("aria-posinset", index + 1);
        row.element.style.transform = `translateY(${index * this.#height}px)`;
        this.#rows.set(index, row);
        this.#insert(row.element, index);
        row.show(pages.item(index), index, index === this.current);
      } else if (refill) {
        row.element.style.transform = `translateY(${index * this.#height}px)`;
        row.show(pages.item(index), index, index === this.current);
      }
      row.element.setAttribute("aria-setsize", total);
    }
    // Pages that are only flown over are not asked for.
    clearTimeout(this.#ask);
    this.#ask = setTimeout(() => pages.want(first, last).catch((error) => this.onError?.(error)), pages.total === null ? 0 : 40);
  }

  /** Keep the elements in the order of the list, which is the order of tabbing and reading. */
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
