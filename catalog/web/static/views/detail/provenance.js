// How a track was made: prompt, context, model, seed, configuration and versions.

import { announce, h, iconButton } from "../../lib/dom.js";
import { span, value, when } from "../../lib/format.js";
import { address, here } from "../../lib/route.js";
import { toast } from "../../lib/toast.js";
import { configFold } from "../../parts/config.js";
import { factList, section } from "./section.js";

const LONG = 600; // letters; a longer text scrolls

export function provenance(track) {
  const config = track.config ?? {};
  return section(
    "How it was made",
    null,
    quote("Prompt", track.prompt),
    track.context && quote("Context", track.context),
    factList(origin(track)),
    Object.keys(config).length > 0 && configFold(config, track.config_sources, value),
    track.versions && h("details", { class: "fold" }, h("summary", {}, "Versions"), factList(Object.entries(track.versions))),
  );
}

function origin(track) {
  const original = track.variant_of && h("a", { href: address(here().view, new URLSearchParams({ track: track.variant_of })) }, track.variant_of);
  const pairs = [
    ["Model", track.model],
    ["Weights' licence", track.weights_license],
    ["Made by", track.backend],
    ["Seed", track.seed],
    ["Made", `${when(track.created_at)}, in ${span(track.generation_s)}`],
    ["Query", track.query],
    ["Variation of", original],
    ["Id", track.id],
  ];
  return pairs.filter(([, content]) => content !== "" && content !== null && content !== undefined).map(([term, content]) => [term, content instanceof Node ? content : String(content)]);
}

/** Return a text that may be long, with a button to copy it. */
function quote(heading, text) {
  const long = text.length > LONG;
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      announce(`${heading} copied`);
      toast(`${heading} copied.`, { stay_ms: 2500 });
    } catch {
      toast("The browser does not let the page copy; select the text instead.");
    }
  };
  return h(
    "div",
    { class: "quote" },
    h("div", { class: "quote-head" }, h("h4", {}, heading), iconButton("copy", `Copy the ${heading.toLowerCase()}`, copy)),
    h("p", { dir: "auto", class: long ? "long" : "", ...(long ? { tabindex: "0" } : {}) }, text), // only what has the focus scrolls by keyboard
  );
}
