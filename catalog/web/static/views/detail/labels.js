// What the reader says of a track: stars, tags and a note.

import { h, iconButton } from "../../lib/dom.js";
import { change as edit, rate } from "../../lib/edits.js";
import { tagButton } from "../../parts/tag.js";
import { section } from "./section.js";

const RATINGS = [1, 2, 3, 4, 5];

export function rating(track) {
  return h(
    "fieldset",
    { class: "rating" },
    h("legend", { class: "sr" }, "Rating"),
    RATINGS.map((stars) => star(track, stars)),
    h("span", { class: "muted" }, track.rating ? `${track.rating} of 5` : "Not rated"),
    track.rating && h("button", { type: "button", class: "link", onclick: () => rate([track], null) }, "Clear rating"),
  );
}

function star(track, stars) {
  const on = track.rating >= stars;
  return h(
    "label",
    { class: `star${on ? " is-on" : ""}` },
    h("input", { type: "radio", name: "rating", value: String(stars), checked: track.rating === stars, "aria-label": `${stars} of 5`, onchange: () => edit(track.id, { rating: stars }) }),
    h("span", { "aria-hidden": "true" }, on ? "★" : "☆"),
  );
}

export function labels(track) {
  const note = h("textarea", { class: "input", dir: "auto", rows: "2", placeholder: "Note to yourself", "aria-label": "Note", value: track.note ?? "", onchange: () => edit(track.id, { note: note.value }) });
  return section("Your labels", null, tags(track), note);
}

function tags(track) {
  const set = track.tags ?? [];
  const save = (next) => edit(track.id, { tags: next });
  const input = h("input", { class: "input", placeholder: "Add a tag", "aria-label": "Add a tag", maxlength: "60" });
  const submit = (event) => {
    event.preventDefault();
    const tag = input.value.trim();
    if (tag) save([...new Set([...set, tag])]);
  };
  const chip = (tag) => h("span", { class: "chip" }, tagButton(tag), iconButton("close", `Remove the tag ${tag}`, () => save(set.filter((one) => one !== tag))));
  return h("div", { class: "chips" }, set.map(chip), h("form", { onsubmit: submit }, input));
}
