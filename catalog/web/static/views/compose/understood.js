// What was read in the text, each value with its source, and where it lies between sad and happy, still and wild.

import { h, svg } from "../../lib/dom.js";
import { percent, sentence } from "../../lib/format.js";
import { SOURCES } from "../../lib/vocabulary.js";

export function understood(features) {
  const row = (term, key, text) => h("div", {}, h("dt", {}, term), h("dd", {}, text), h("dd", { class: "muted source" }, sourceOf(features, key)));
  return h(
    "section",
    { class: "card" },
    h("div", { class: "section-head" }, h("h3", {}, "Read in the text")),
    h(
      "div",
      { class: "understood" },
      h(
        "dl",
        { class: "read-facts" },
        row("Topic", "summary_of_topic", features.summary_of_topic),
        row("Feeling", "emotional_tone_description", features.emotional_tone_description),
        row("Moods", "mood_tags", features.mood_tags.join(", ") || "none"),
        row("Place", "environment", features.environment ?? "Not mentioned"),
        row("Time", "time_of_day", features.time_of_day ?? "Not mentioned"),
        row("Language", "language", languageName(features.language)),
      ),
      plane(features),
    ),
  );
}

/** Return where a value comes from and how sure it is; what the caller stated is certain. */
function sourceOf(features, key) {
  if (isUnknown(features, key)) return "";
  const source = features.sources?.[key];
  const sure = features.confidences?.[key];
  return [SOURCES[source], source !== "caller" && sure !== undefined && `${percent(sure)} sure`].filter(Boolean).join(", ");
}

/** Return true where the text says nothing: no source and no certainty is worth telling then. */
function isUnknown(features, key) {
  return (["environment", "time_of_day"].includes(key) && !features[key]) || (key === "language" && features.language === "und");
}

function languageName(code) {
  if (!code || code === "und") return "Unknown";
  try {
    return new Intl.DisplayNames("en", { type: "language" }).of(code);
  } catch {
    return code;
  }
}

function plane(features) {
  const { valence, energy } = features;
  const felt = [degree(valence, "happy", "sad"), degree(energy, "wild", "still")];
  const word = (x, y, text, anchor) => svg("text", { x, y, class: "plane-word", ...(anchor && { "text-anchor": anchor }) }, text);
  const picture = svg(
    "svg",
    { viewBox: "0 0 120 120", class: "plane", role: "img", "aria-label": `Feels ${felt.join(" and ")}` },
    svg("rect", { x: 0.5, y: 0.5, width: 119, height: 119, rx: 8, class: "plane-area" }),
    svg("path", { d: "M60 8V112M8 60H112", class: "plane-axis" }),
    word(60, 17, "wild", "middle"),
    word(60, 112, "still", "middle"),
    word(7, 57, "sad"),
    word(113, 57, "happy", "end"),
    svg("circle", { cx: 60 + 48 * valence, cy: 60 - 48 * energy, r: 5, class: "plane-dot" }),
  );
  return h("figure", { class: "plane-figure" }, picture, h("figcaption", { class: "muted small" }, sentence(felt.join(", ")), h("p", { class: "source" }, planeSource(features))));
}

/** Return where a value from −1 to 1 lies between two words. */
function degree(value, more, less) {
  const word = value < 0 ? less : more;
  return Math.abs(value) < 0.1 ? `neither ${more} nor ${less}` : Math.abs(value) < 0.4 ? `a little ${word}` : word;
}

function planeSource({ sources }) {
  const [valence, energy] = [SOURCES[sources?.valence], SOURCES[sources?.energy]];
  return valence === energy ? valence ?? "" : `Mood: ${valence}; energy: ${energy}`;
}
