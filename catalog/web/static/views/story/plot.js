// The plot of moods: how happy and how lively the story is over time, on its scenes; a theme keeps its colour.

import { h, svg } from "../../lib/dom.js";
import { clock } from "../../lib/format.js";
import { sceneName, themeOf } from "./scenes.js";

const WIDTH = 1000; // units of the drawing, which is stretched to its place
const HEIGHT = 100;

/** Return the plot; `seek(seconds)` is called where it is clicked. Its `moveTo(seconds)` moves the line that shows what is heard. */
export function plot(story, seek) {
  const across = (seconds) => (seconds / story.duration_s) * WIDTH;
  const down = (level) => HEIGHT / 2 - level * (HEIGHT / 2 - 4);
  const line = (key) => story.moments.map((one) => `${across((one.start_s + one.end_s) / 2).toFixed(1)},${down(one[key]).toFixed(1)}`).join(" ");
  const scenes = story.scenes.map((scene) =>
    svg("rect", { class: `plot-scene theme-${themeOf(story, scene)}`, x: across(scene.start_s), y: 0, width: Math.max(1, across(scene.end_s) - across(scene.start_s)), height: HEIGHT }, svg("title", {}, `${sceneName(story, scene)}, from ${clock(scene.start_s)}`)),
  );
  const now = svg("line", { class: "plot-now", x1: 0, x2: 0, y1: 0, y2: HEIGHT });
  const label = `Mood and energy over ${clock(story.duration_s)}: ${story.scenes.map((scene) => `${sceneName(story, scene)}, ${scene.mood_tags.join(" and ") || "no mood"}`).join("; ")}.`;
  const picture = svg(
    "svg",
    { class: "plot", role: "img", "aria-label": label, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" },
    scenes,
    svg("path", { class: "plot-middle", d: `M0 ${HEIGHT / 2}H${WIDTH}` }),
    svg("polyline", { class: "plot-mood", points: line("valence") }),
    svg("polyline", { class: "plot-energy", points: line("energy") }),
    now,
  );
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * story.duration_s);
  });
  const key = (cls, text) => h("span", { class: "plot-key" }, svg("svg", { viewBox: "0 0 24 4", "aria-hidden": "true" }, svg("path", { class: cls, d: "M0 2H24" })), text);
  const element = h("figure", {}, picture, h("figcaption", { class: "muted small" }, key("plot-mood", "Mood, happy above, sad below"), key("plot-energy", "Energy, wild above, still below")));
  return { element, moveTo: (seconds) => (now.setAttribute("x1", across(seconds)), now.setAttribute("x2", across(seconds))) };
}
