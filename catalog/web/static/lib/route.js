// Where the reader is: `#/view?param=value`. Every view, filter and open track is an address that can be kept.

const VIEWS = ["tracks", "compose", "map", "history"];
const listeners = new Set();

/** Return {view, params} of the address. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: VIEWS.includes(path) ? path : "tracks", params: new URLSearchParams(query) };
}

export function address(view, params) {
  const kept = params.toString();
  return `#/${view}${kept ? `?${kept}` : ""}`;
}

/** Change parameters of the address: null or "" takes one away, an array sets several of a name. */
export function change(changes, { view, replace = false } = {}) {
  const now = here();
  const params = new URLSearchParams(view && view !== now.view ? [] : now.params);
  for (const [name, value] of Object.entries(changes)) {
    params.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== undefined && one !== "") params.append(name, one);
  }
  const target = address(view ?? now.view, params);
  if (target === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
  tell();
}

export function onChange(listener) {
  listeners.add(listener);
}

export function tell() {
  for (const listener of listeners) listener(here());
}

addEventListener("popstate", tell);
