// The address, `#/view?param=value`. Every view, filter and open track has an address that can be kept.

const VIEWS = ["tracks", "compose", "scene", "story", "map", "history", "collection"];
const listeners = new Set();

/** Return {view, params} of the address. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: VIEWS.includes(path) ? path : "tracks", params: new URLSearchParams(query) };
}

/** Return the address of a view. */
export function address(view, params) {
  const query = params.toString();
  return `#/${view}${query ? `?${query}` : ""}`;
}

/** Return the address of the same place with this track open beside it. */
export function trackAddress(id, view = here().view) {
  const params = new URLSearchParams(here().params);
  params.set("track", id);
  return address(view, params);
}

/** Change parameters of the address: null or "" removes one, an array gives one several values. */
export function change(changes, { view, replace = false } = {}) {
  const now = here();
  const params = new URLSearchParams(view && view !== now.view ? [] : now.params);
  for (const [name, value] of Object.entries(changes)) {
    params.delete(name);
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") params.append(name, one);
  }
  const target = address(view ?? now.view, params);
  if (target === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
  notify();
}

/** Call `listener` with {view, params} whenever the address changes. */
export function onChange(listener) {
  listeners.add(listener);
}

/** Call every listener with the address as it is now. */
export function notify() {
  for (const listener of listeners) listener(here());
}

addEventListener("popstate", notify);
