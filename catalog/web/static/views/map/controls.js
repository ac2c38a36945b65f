// The buttons above the map, and what stands in its place when it is empty.

import { h, iconButton } from "../../lib/dom.js";
import { name } from "../../lib/format.js";
import { change } from "../../lib/route.js";

/** How much a click or a key zooms. */
export const ZOOM = 1.5;

/** Return the buttons that zoom by a factor, 0 for the whole map, and that have dragging move the map or draw a lasso. */
export function zoomControls({ onZoom, onMove }) {
  const move = h("button", { type: "button", class: "button small", "aria-pressed": "false", onclick: () => toggle(move, onMove) }, "Move");
  return h(
    "div",
    { class: "map-zoom", role: "group", "aria-label": "Zoom" },
    move,
    iconButton("minus", "Zoom out", () => onZoom(1 / ZOOM)),
    iconButton("plus", "Zoom in", () => onZoom(ZOOM)),
    iconButton("fit", "Show all", () => onZoom(0)),
  );
}

function toggle(button, onChange) {
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  onChange(on);
}

/** Return the button that has the groups follow "mood" or "style". */
export function byButton(key) {
  return h("button", { type: "button", data: { by: key }, onclick: () => change({ by: key === "mood" ? null : key }, { replace: true }) }, name(key));
}

export function emptyMap() {
  return [h("h2", {}, "Nothing to map yet"), h("p", {}, "Each track that is made gets its place here."), h("div", { class: "empty-actions" }, h("a", { class: "button primary", href: "#/compose" }, "Compose the first one"))];
}
