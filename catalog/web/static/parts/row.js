// One track in a list.

import { h, icon, setIcon } from "../lib/dom.js";
import { clock, name, score, stars, title } from "../lib/format.js";
import { player } from "../lib/player.js";
import { address, here } from "../lib/route.js";
import { Wave } from "./wave.js";

/** Return a row for `Rows`; `list` knows the queue, the selection and what is open. */
export function trackRow(list) {
  let track = null;
  let index = 0;
  const queue = () => list.queue(index);
  const wave = new Wave({ onSeek: (one, fraction) => player.play(one, { queue: queue(), fraction }) });
  const check = h("input", { type: "checkbox", class: "check", onclick: (event) => list.onSelect(index, track, event) });
  const play = h("button", { type: "button", class: "play-button", onclick: () => player.toggle(track, { queue: queue() }) }, icon("play"));
  const link = h("a", { class: "row-title" });
  const sub = h("p", { class: "row-sub" });
  const marks = h("span", { class: "row-marks" });
  const tempo = h("span", { class: "row-tempo" });
  const length = h("span", { class: "row-length" });
  const rating = h("span", { class: "row-rating" });
  const match = h("span", { class: "row-score" });
  const element = h(
    "li",
    {
      class: "row",
      onclick: (event) => {
        if (track && !event.target.closest("a, button, input, label, canvas")) list.onOpen(track, index);
      },
    },
    h("label", { class: "row-check" }, check),
    play,
    h("div", { class: "row-text" }, h("div", { class: "row-head" }, link, marks), sub),
    wave.canvas,
    h("div", { class: "row-facts" }, match, rating, tempo, length),
  );
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (track) list.onOpen(track, index);
  });

  const playing = () => {
    const current = player.isCurrent(track);
    element.classList.toggle("is-playing", current);
    const sounding = current && player.playing;
    setIcon(play, sounding ? "pause" : "play");
    play.setAttribute("aria-label", `${sounding ? "Pause" : "Play"} ${track ? title(track) : ""}`);
  };
  player.addEventListener("change", playing);

  return {
    element,
    show(item, at, current) {
      track = item;
      index = at;
      element.classList.toggle("is-waiting", !track);
      element.classList.toggle("is-current", current);
      for (const control of [check, play, link]) control.tabIndex = current ? 0 : -1;
      wave.show(track);
      playing();
      for (const control of [check, play]) control.disabled = !track;
      if (!track) {
        for (const place of [link, sub, marks, tempo, length, rating, match]) place.textContent = "";
        return;
      }
      const params = new URLSearchParams(here().params);
      params.set("track", track.id);
      link.href = address(here().view, params);
      link.textContent = title(track);
      sub.textContent = [name(track.style), name(track.role), (track.mood_tags ?? []).join(", "), ...(track.tags ?? []).map((tag) => `#${tag}`)]
        .filter(Boolean)
        .join(" · ");
      marks.textContent = [track.loopable && "loop", track.variant_of && "variation"].filter(Boolean).join(" · ");
      tempo.textContent = track.tempo_bpm ? `${Math.round(track.tempo_bpm)} bpm` : "";
      length.textContent = track.duration_s ? clock(track.duration_s) : "";
      rating.textContent = stars(track.rating);
      rating.setAttribute("aria-label", track.rating ? `rated ${track.rating} of 5` : "");
      rating.toggleAttribute("role", false);
      if (track.rating) rating.setAttribute("role", "img");
      match.textContent = track.score === undefined || track.score === null ? "" : score(track.score);
      match.title = match.textContent && "How near it is to the search";
      check.checked = list.isSelected(track.id);
      check.setAttribute("aria-label", `Select ${title(track)}`);
      element.classList.toggle("is-selected", check.checked);
      element.classList.toggle("is-open", list.isOpen(track.id));
    },
    focus: () => link.focus({ preventScroll: true }),
    close() {
      player.removeEventListener("change", playing);
      wave.close();
    },
  };
}
