// The list of collections beside a list of tracks.

import { collections } from "../../lib/collections.js";
import { fill, h, icon } from "../../lib/dom.js";
import { listQuery } from "../../lib/language.js";
import { address, here } from "../../lib/route.js";
import { complain } from "../../lib/toast.js";
import { askName } from "./name_dialog.js";

export const collectionAddress = (id) => address("collection", new URLSearchParams({ id }));

export class CollectionList {
  #links = h("ul", { role: "list" });
  #save = h("button", { type: "button", class: "link facet-more", hidden: true, onclick: saveSearch }, "Save this search");
  element = h(
    "section",
    { class: "facet collections", "aria-labelledby": "collections-title" },
    h("h2", { class: "facet-head", id: "collections-title" }, "Collections"),
    this.#links,
    h("button", { type: "button", class: "link facet-more", onclick: newPlaylist }, "New playlist"),
    this.#save,
  );

  constructor() {
    collections.addEventListener("loaded", () => this.show());
    if (!collections.all) collections.load().catch(complain);
  }

  /** Mark the collection of the address, and offer to keep its search. */
  show() {
    const { view, params } = here();
    this.#save.hidden = view !== "tracks" || !listQuery(params).q || params.has("trashed");
    fill(this.#links, (collections.all ?? []).map((one) => h("li", {}, link(one, view === "collection" && params.get("id") === one.id))));
  }
}

function link({ id, name, track_ids }, current) {
  return h(
    "a",
    { class: "facet-value", href: collectionAddress(id), "aria-current": current && "page" },
    icon(track_ids ? "queue" : "search"),
    h("span", { class: "facet-name", dir: "auto" }, name),
    track_ids && h("span", { class: "facet-count" }, String(track_ids.length)),
  );
}

function newPlaylist() {
  askName({ heading: "New playlist", label: "Name", does: "Create", submit: (name) => collections.create(name) });
}

function saveSearch() {
  const { params } = here();
  const wanted = listQuery(params);
  askName({ heading: "Save this search", label: "Name", value: params.get("q") ?? "", does: "Save", submit: (name) => collections.saveSearch(name, wanted) });
}
