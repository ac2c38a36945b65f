// A section of the details.

import { h } from "../../lib/dom.js";

/** Return a section with a heading; `tools` stand at the end of its line. */
export function section(heading, tools, ...children) {
  return h("section", { class: "detail-section" }, h("div", { class: "section-head" }, h("h3", {}, heading), tools), ...children);
}

/** Return a list of [term, text or element] pairs. */
export function factList(pairs) {
  return h("dl", { class: "facts" }, pairs.map(([term, content]) => h("div", {}, h("dt", {}, term), h("dd", {}, content))));
}
