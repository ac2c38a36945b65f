// The player at the bottom of the page.

import { h, icon, iconButton, setIcon } from "../lib/dom.js";
import { clock, name, title } from "../lib/format.js";
import { player } from "../lib/player/player.js";
import { trackAddress } from "../lib/route.js";
import { toast } from "../lib/toast.js";
import { queuePanel } from "./queue.js";
import { Wave } from "./wave.js";

export function playerBar() {
  const element = document.getElementById("player");
  const wave = new Wave({ onSeek: (_, fraction) => player.seek(fraction) });
  const play = h("button", { type: "button", class: "play-button", onclick: () => player.toggle() }, icon("play"));
  const link = h("a", { class: "bar-title", dir: "auto" });
  const sub = h("p", { class: "muted bar-sub" });
  const time = h("span", { class: "bar-time numbers" });
  const slider = h("div", { class: "bar-seek", role: "slider", tabindex: "0", "aria-label": "Position", "aria-valuemin": "0" }, wave.canvas);
  const loop = iconButton("loop", "Repeat", () => (player.loop = !player.loop), { "aria-pressed": "false", class: "icon-button bar-loop" });
  const volume = h("input", { type: "range", class: "volume", min: "0", max: "1", step: "0.02", "aria-label": "Volume", value: String(player.volume), oninput: () => (player.volume = Number(volume.value)) });
  slider.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -5, ArrowRight: 5, ArrowDown: -5, ArrowUp: 5, PageDown: -10, PageUp: 10 };
    if (event.key in steps) player.skip(steps[event.key]);
    else if (event.key === "Home") player.seek(0);
    else if (event.key === "End") player.seek(0.999);
    else return;
    event.preventDefault();
  });
  const queue = queuePanel();
  element.append(
    queue.panel,
    h("div", { class: "bar-controls" }, iconButton("previous", "Previous track", () => player.step(-1), { class: "icon-button bar-step" }), play, iconButton("next", "Next track", () => player.step(1), { class: "icon-button bar-step" })),
    h("div", { class: "bar-text" }, link, sub),
    slider,
    time,
    h("div", { class: "bar-end" }, loop, queue.button, h("label", { class: "bar-volume" }, icon("volume"), volume)),
  );

  let shown = "";
  const tick = () => {
    const text = `${clock(player.time_s)} / ${clock(player.duration_s)}`;
    if (text === shown) return;
    shown = text;
    time.textContent = text;
    slider.setAttribute("aria-valuenow", String(Math.round(player.time_s)));
    slider.setAttribute("aria-valuemax", String(Math.round(player.duration_s)));
    slider.setAttribute("aria-valuetext", `${clock(player.time_s)} of ${clock(player.duration_s)}`);
  };
  const change = () => {
    const { track } = player;
    element.hidden = !track;
    document.body.classList.toggle("has-player", Boolean(track));
    if (!track) return;
    wave.part = player.part && [player.part.start_s / player.duration_s, player.part.end_s / player.duration_s];
    wave.show(track);
    wave.draw();
    link.textContent = title(track);
    link.href = trackAddress(track.id);
    sub.textContent = [name(track.style), track.mood_tags?.slice(0, 3).join(", ")].filter(Boolean).join(" · ");
    setIcon(play, player.playing ? "pause" : "play");
    play.setAttribute("aria-label", player.playing ? "Pause" : "Play");
    loop.setAttribute("aria-pressed", String(player.loop));
    document.title = player.playing ? `▶ ${title(track)}` : document.body.dataset.title;
    tick();
  };
  player.addEventListener("change", change);
  player.addEventListener("time", tick);
  player.addEventListener("failed", ({ detail }) => toast(`“${title(detail)}” cannot be played now. Press Play to try again.`, { tone: "bad", slot: "failed" }));
  return { refresh: change };
}
