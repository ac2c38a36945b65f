// Under the waveform, with its zoom: ticks for the beats, a band for each section, and the spectrogram behind a switch.

import { trackUrl } from "../../lib/api.js";
import { fill, h, svg } from "../../lib/dom.js";
import { clock, title } from "../../lib/format.js";
import { player } from "../../lib/player/player.js";
import { structureOf } from "./structure.js";

const LEAST_PX = 5; // between two ticks; where beats are nearer, each fourth has one
const SWITCH = "spectrogram";

/** Return what stands under the waveform of a track; it follows what the waveform shows. */
export function marks(track, wave) {
  const ticks = svg("svg", { class: "ticks", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("path"));
  const bands = h("div", { class: "bands", role: "group", "aria-label": "Sections", hidden: true });
  const picture = spectrogram(track, wave);
  let found = { beats: [], sections: [] };
  const look = () => {
    drawTicks(ticks, found.beats, track, wave);
    drawBands(bands, found.sections, track, wave);
    picture.look();
  };
  wave.canvas.addEventListener("view", look);
  structureOf(track).then((answer) => {
    found = answer;
    look();
  }, () => {}); // an extra: without it the rest still holds
  look();
  return h("div", { class: "marks" }, ticks, bands, picture.frame, picture.control);
}

function drawTicks(element, beats, track, { view: [from, to], canvas }) {
  element.toggleAttribute("hidden", !beats.length);
  if (beats.length < 2) return;
  const seconds = (to - from) * track.duration_s;
  const beat_px = (((beats.at(-1) - beats[0]) / (beats.length - 1)) * (canvas.clientWidth || 300)) / seconds;
  let step = 1;
  while (beat_px * step < LEAST_PX) step *= 4;
  element.setAttribute("viewBox", `${from * track.duration_s} 0 ${seconds} 1`);
  element.firstChild.setAttribute("d", beats.filter((_, at) => at % step === 0).map((at_s) => `M${at_s} 0V1`).join(""));
}

/** Draw a button for each section in sight, which plays from its start; a piece without a change has none. */
function drawBands(element, sections, track, { view: [from, to] }) {
  element.hidden = sections.length < 2;
  if (element.hidden || element.dataset.view === `${from} ${to}`) return;
  element.dataset.view = `${from} ${to}`;
  const focused = [...element.children].indexOf(document.activeElement);
  fill(element, sections.map((one) => band(one, track, [from, to])));
  if (focused >= 0) element.children[focused].focus({ preventScroll: true });
}

function band({ start_s, end_s, label }, track, [from, to]) {
  const at = (seconds) => Math.min(1, Math.max(0, (seconds / track.duration_s - from) / (to - from)));
  const [left, right] = [at(start_s), at(end_s)];
  const name = `Section ${label}, ${clock(start_s)} to ${clock(end_s)}`;
  const play = () => player.play(track, { queue: null, fraction: start_s / track.duration_s });
  const element = h("button", { type: "button", class: "band", hidden: right <= left, title: name, "aria-label": `Play ${name.charAt(0).toLowerCase()}${name.slice(1)}`, data: { label }, onclick: play }, label);
  element.style.left = `${100 * left}%`;
  element.style.width = `${100 * (right - left)}%`;
  return element;
}

/** Return the picture in its frame and the switch that shows it; a click on it plays from there. */
function spectrogram(track, wave) {
  const picture = h("img", { class: "spectrogram", alt: `Spectrogram of ${title(track)}: time from left to right, frequency from low to high` });
  const frame = h("div", { class: "spectrogram-frame" }, picture);
  const box = h("input", { type: "checkbox", class: "check", checked: kept(), onchange: () => keep(show()) });
  const control = h("label", { class: "labelled inline" }, box, h("span", {}, "Spectrogram"));
  const show = () => {
    frame.hidden = !box.checked;
    if (box.checked && !picture.src) picture.src = trackUrl(track.id, "spectrogram.png");
    return box.checked;
  };
  picture.addEventListener("click", (event) => {
    const { left, width } = picture.getBoundingClientRect();
    player.play(track, { queue: null, fraction: (event.clientX - left) / width });
  });
  show();
  const look = () => {
    const [from, to] = wave.view;
    picture.style.width = `${100 / (to - from)}%`;
    picture.style.marginLeft = `${(-100 * from) / (to - from)}%`;
  };
  return { frame, control, look };
}

function kept() {
  try {
    return localStorage.getItem(SWITCH) === "on";
  } catch {
    return false; // the storage of the browser is off
  }
}

function keep(on) {
  try {
    localStorage.setItem(SWITCH, on ? "on" : "off");
  } catch {
    // Then it holds for this track.
  }
}
