// A menu of what a list of tracks can be downloaded as.

import { h, icon } from "../lib/dom.js";

const FORMATS = [
  ["m3u", "Playlist, .m3u"],
  ["zip", "Audio files, .zip"],
  ["csv", "Table, .csv"],
];
const MOST_IDS = 2000; // as many as an address holds

/** Return the menu for a query of the export: {collection} or {ids}, which may be too many; then there is none. */
export function downloadMenu({ ids, ...query }) {
  if (ids?.length > MOST_IDS) return null;
  const wanted = ids ? { ...query, ids: ids.join(",") } : query;
  const element = h("details", { class: "menu download-menu" }, h("summary", { class: "button" }, icon("download"), h("span", {}, "Download")));
  const close = () => (element.open = false);
  element.append(h("div", { class: "menu-list" }, FORMATS.map(([format, text]) => h("a", { href: `api/export?${new URLSearchParams({ format, ...wanted })}`, download: "", onclick: close }, text))));
  element.addEventListener("focusout", (event) => event.relatedTarget && !element.contains(event.relatedTarget) && close());
  return element;
}
