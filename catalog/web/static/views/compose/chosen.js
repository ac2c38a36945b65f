// The music that was chosen for the text: style, role, quality, prompt and configuration, each with its reason.

import { get } from "../../lib/api.js";
import { fill, h, icon } from "../../lib/dom.js";
import { name, why as said } from "../../lib/format.js";
import { configFold } from "../../parts/config.js";

const MOST_TOPIC = 1000; // letters of it that are sent
const MOST_STYLES = 4;

/** Return the card; `styles` is the element for other styles. */
export function chosen(request, styles) {
  const { config, config_sources: sources, why } = request;
  const row = (term, value, reason, more) => h("div", {}, h("dt", {}, term), h("dd", {}, value), h("dd", { class: "muted source" }, reason ? said(reason) : ""), more);
  return h(
    "section",
    { class: "card" },
    h("div", { class: "section-head" }, h("h3", {}, "Chosen for it")),
    h(
      "dl",
      { class: "read-facts" },
      row("Style", name(request.style), why.style, styles),
      row("Role", name(request.role), why.role),
      row("Quality", name(request.quality), why.quality),
      row("Length", `${config.duration_s} s${config.loopable ? ", a loop" : ""}`, sources.duration_s),
      row("Made by", config.backend === "mlx" ? `MusicGen ${config.size}` : name(config.backend), sources.backend),
    ),
    h("h4", {}, "Prompt"),
    h("p", { class: "prompt" }, request.prompt),
    request.warnings.map((warning) => h("p", { class: "warning" }, icon("warning"), said(warning))),
    configFold(config, sources, JSON.stringify),
  );
}

/** Fill `place` with other styles, from what served requests like this one well; `take(style)` chooses one. */
export async function suggestStyles(place, request, take) {
  try {
    const { suggestions } = await get("/presets/suggest", { q: request.features.summary_of_topic.slice(0, MOST_TOPIC), limit: MOST_STYLES + 1 });
    const others = suggestions.filter((one) => one.name !== request.style).slice(0, MOST_STYLES);
    const chip = (one) => h("button", { type: "button", class: "chip", title: one.reason ?? null, onclick: () => take(one.name) }, name(one.name));
    fill(place, others.length > 0 && h("span", { class: "muted small" }, "Or take"), others.map(chip));
  } catch {
    place.remove(); // an extra that the reader did not ask for: its failure is not shown
  }
}
