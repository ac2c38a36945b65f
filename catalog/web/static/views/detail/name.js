// What a track is called, and a field to call it something else.

import { button, h } from "../../lib/dom.js";
import { rename } from "../../lib/edits.js";
import { title } from "../../lib/format.js";

/** Return the heading of the details, with a button that puts a field in its place. */
export function heading(track) {
  const text = h("h2", { class: "detail-title", dir: "auto", tabindex: "-1", id: "detail-title" }, title(track));
  const open = h("button", { type: "button", class: "link small", onclick: () => show(true) }, "Rename");
  const input = h("input", { class: "input grow", dir: "auto", maxlength: "200", "aria-label": "Title", placeholder: track.summary });
  const save = (event) => {
    event.preventDefault();
    const written = input.value.trim().replace(/\s+/g, " ");
    show(false);
    if (written !== (track.title ?? "")) rename([track], written);
  };
  const form = h("form", { class: "rename", hidden: true, onsubmit: save }, input, h("button", { type: "submit", class: "button primary" }, "Save"), button("Cancel", () => show(false)));
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // else the details would close
    show(false);
  });
  function show(writing) {
    form.hidden = !writing;
    text.hidden = open.hidden = writing;
    input.value = track.title ?? "";
    (writing ? input : open).focus();
    if (writing) input.select();
  }
  return h("div", { class: "detail-name" }, text, open, form);
}
