// The catalog in two dimensions: what is near in meaning lies near. Hover to listen, draw a lasso to pick tracks.

import { get } from "../lib/api.js";
import { announce, button, fill, h } from "../lib/dom.js";
import { edits } from "../lib/edits.js";
import { name, plural, title } from "../lib/format.js";
import { player } from "../lib/player.js";
import { change, here } from "../lib/route.js";
import { complain } from "../lib/toast.js";
import { notLoaded } from "../parts/connection.js";
import { miniRow } from "../parts/play.js";
import { groupsOf, legendRow } from "./map/groups.js";
import { Plot } from "./map/plot.js";
import { Preview } from "./map/preview.js";

const MOST_LISTED = 200;
const CLICK = 6; // pixels; a pointer that moves no further clicks
const DIRECTIONS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP = "Near means alike in meaning. Click a track to open it, drag a lasso to pick several.";
const KEYS = " With the keyboard, arrows go from track to track, Enter opens, Space plays.";

export class MapView {
  title = "Map";
  #stale = true; // the tracks have changed since they were loaded
  #plot = new Plot();
  #by = h("div", { class: "segmented", role: "group", "aria-label": "Colour by" }, ["mood", "style"].map(byButton));
  #listen = h("input", { type: "checkbox", class: "check", checked: true });
  #preview = new Preview(this.#listen);
  #tip = h("div", { class: "map-tip", hidden: true, "aria-hidden": "true" });
  #note = h("div", { class: "empty", hidden: true }); // why there is no map
  #legend = h("ul", { class: "legend", role: "list" });
  #count = h("h2", { class: "map-count" });
  #tools = h("div", { class: "actions" });
  #list = h("ul", { class: "mini-list", role: "list" });
  element = h(
    "div",
    { class: "view map" },
    h(
      "div",
      { class: "map-pane" },
      h("div", { class: "map-tools" }, h("h1", {}, "Map"), h("div", { class: "grow" }), h("label", { class: "labelled inline hover-only" }, this.#listen, h("span", {}, "Listen on hover")), this.#by),
      h("div", { class: "map-area" }, this.#plot.canvas, this.#tip, this.#note),
      h("p", { class: "muted small map-help", id: "map-help" }, HELP, h("span", { class: "hover-only" }, KEYS)),
    ),
    h("aside", { class: "map-side", "aria-label": "Picked on the map" }, h("div", { class: "legend-box" }, this.#legend), h("div", { class: "section-head" }, this.#count), this.#tools, this.#list),
  );

  constructor() {
    this.#listenToPointer();
    this.#plot.canvas.addEventListener("blur", () => this.#hover(null));
    this.#plot.canvas.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("themechange", () => this.#showGroups());
    for (const name of ["gone", "back", "made"]) {
      edits.addEventListener(name, () => {
        this.#stale = true;
        if (this.element.isConnected && !this.element.hidden) this.#load();
      });
    }
  }

  show() {
    if (this.#stale) this.#load();
    else this.#showGroups();
  }

  hide() {
    this.#hover(null);
  }

  async #load() {
    this.#stale = false;
    try {
      this.#plot.points = (await get("/map")).points;
      this.#note.hidden = true;
      this.#showGroups();
    } catch (error) {
      this.#stale = true;
      complain(error);
      if (this.#plot.points) return;
      this.#note.hidden = false;
      fill(this.#note, notLoaded(error, () => this.#load()));
    }
  }

  #showGroups() {
    if (!this.#plot.points) return;
    const key = here().params.get("by") ?? "mood";
    for (const one of this.#by.children) one.setAttribute("aria-pressed", String(one.dataset.by === key));
    const { off } = this.#plot;
    const toggle = (at) => {
      if (!off.delete(at)) off.add(at);
      this.#plot.draw();
      return !off.has(at);
    };
    fill(this.#legend, groupsOf(this.#plot.points, key).map((group) => legendRow(group, !off.has(group.at), toggle)));
    this.#plot.draw();
    this.#showPicked();
  }

  #showPicked() {
    const ids = new Set(here().params.getAll("pick"));
    const picked = this.#plot.points.filter((point) => ids.has(point.id));
    this.#count.textContent = picked.length ? plural(picked.length, "track") + " picked" : "Nothing picked";
    fill(this.#tools, picked.length ? button("Clear", () => change({ pick: null })) : h("p", { class: "muted small" }, "Draw around some tracks to hear just those."));
    fill(this.#list, picked.slice(0, MOST_LISTED).map((point) => miniRow(point, picked)));
  }

  #hover(point) {
    const plot = this.#plot;
    if (point === plot.hovered) return;
    plot.hovered = point;
    this.#preview.hear(point);
    this.#tip.hidden = !point;
    if (point) this.#showTip(point);
    plot.canvas.style.cursor = point ? "pointer" : "crosshair";
    plot.draw();
  }

  #showTip(point) {
    fill(this.#tip, h("strong", {}, title(point)), h("span", {}, [name(point.style), point.mood].filter(Boolean).join(" · ")));
    const [x, y] = this.#plot.place(point);
    const right = x > this.#plot.canvas.clientWidth / 2; // there the tip stands on the left of the track
    this.#tip.style.transform = `translate(${right ? x - 12 : x + 12}px, ${y}px) translate(${right ? "-100%" : "0"}, -50%)`;
  }

  #open(point) {
    this.#preview.hear(null);
    player.play(point, { queue: null });
    change({ track: point.id });
  }

  #listenToPointer() {
    const plot = this.#plot;
    const { canvas } = plot;
    const spot = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      plot.lasso = [spot(event)];
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!plot.lasso) return this.#hover(plot.nearest(spot(event)));
      plot.lasso.push(spot(event));
      if (plot.lasso.length > 3) this.#hover(null);
      plot.draw();
    });
    canvas.addEventListener("pointerup", (event) => this.#drawn(spot(event)));
    canvas.addEventListener("pointercancel", () => {
      plot.lasso = null;
      plot.draw();
    });
    canvas.addEventListener("pointerleave", () => !plot.lasso && this.#hover(null));
  }

  /** Pick what lies in the lasso; a click opens the track under it, or takes the picks away. */
  #drawn(spot) {
    const plot = this.#plot;
    const { lasso } = plot;
    plot.lasso = null;
    if (!lasso) return;
    if (Math.max(...lasso.map(([x, y]) => Math.hypot(x - lasso[0][0], y - lasso[0][1]))) < CLICK) {
      const point = plot.nearest(spot);
      if (point) this.#open(point);
      else change({ pick: null });
    } else {
      const inside = plot.inside(lasso);
      change({ pick: inside.map((point) => point.id) });
      announce(`${plural(inside.length, "track")} picked`);
    }
    plot.draw();
  }

  /** Handle a key on the map before the keys of the page do. */
  #key(event) {
    const { points, hovered } = this.#plot;
    const direction = DIRECTIONS[event.key];
    if (direction && points?.length) this.#go(direction);
    else if (event.key === " " && hovered) {
      this.#preview.hear(null);
      player.toggle(hovered, { queue: null });
    } else {
      if (event.key === "Enter" && hovered) this.#open(hovered);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #go(direction) {
    const next = this.#plot.next(direction);
    if (!next) return;
    this.#hover(next);
    announce(`${title(next)}, ${name(next.style)}, ${next.mood}`);
  }
}

function byButton(key) {
  return h("button", { type: "button", data: { by: key }, onclick: () => change({ by: key === "mood" ? null : key }, { replace: true }) }, name(key));
}
