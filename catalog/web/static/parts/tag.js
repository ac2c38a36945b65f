// A tag that can be clicked: the list then shows the tracks that have it.

import { h } from "../lib/dom.js";
import { change, here } from "../lib/route.js";

export function tagButton(tag) {
  const narrow = () => {
    const { view, params } = here();
    const chosen = view === "tracks" ? params.getAll("tag") : [];
    change({ tag: [...new Set([...chosen, tag])], track: params.get("track") }, { view: "tracks" });
  };
  return h("button", { type: "button", class: "tag", title: `Show what is tagged ${tag}`, onclick: narrow }, `#${tag}`);
}
