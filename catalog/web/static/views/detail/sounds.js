// How a track sounds, in words: what was measured, what that suggests, and what the ear heard.

import { fill, h } from "../../lib/dom.js";
import { sentence } from "../../lib/format.js";
import { factList, section } from "./section.js";
import { structureOf } from "./structure.js";

const TERMS = { beat: "Beat", sections: "Sections", sound: "Sound", loudness: "Loudness", suggests: "Sounds like", heard: "Heard" };

export function sounds(track) {
  const place = h("div", {}, h("p", { class: "muted" }, "Listening…"));
  structureOf(track).then(
    ({ words }) => fill(place, factList(Object.entries(TERMS).map(([name, term]) => [term, sentence(words[name])]))),
    (error) => fill(place, h("p", { class: "muted" }, error.message)),
  );
  return section("How it sounds", null, place);
}
