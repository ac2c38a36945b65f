// The catalog in two dimensions: what is near in meaning lies near. Hover to listen, draw a lasso to pick tracks.

import { announce, button, fill, h } from "../lib/dom.js";
import { edits } from "../lib/edits.js";
import { name, plural, title } from "../lib/format.js";
import { player } from "../lib/player/player.js";
import { change, here } from "../lib/route.js";
import { complain } from "../lib/toast.js";
import { notLoaded } from "../parts/connection.js";
import { miniRow } from "../parts/play.js";
import { byButton, emptyMap, ZOOM, zoomControls } from "./map/controls.js";
import { groupsOf, legendRow } from "./map/groups.js";
import { Near } from "./map/near.js";
import { pickedIds, pickParams, simpler } from "./map/picks.js";
import { Plot } from "./map/plot.js";
import { Preview } from "./map/preview.js";
import { showTip } from "./map/tip.js";

const MOST_LISTED = 60;
const CLICK = 6; // pixels; a pointer that moves no further clicks
const DIRECTIONS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PAN = 60; // pixels
const LATER_MS = 30; // after the frame that marks what is picked
const HELP = "Click a track to open it, drag a lasso to pick several; with Move on, drag the map.";
const KEYS = " Scroll to zoom, drag with Shift to move. With the keyboard, arrows go from track to track, Shift and arrows move, + − 0 zoom, Enter opens, Space plays.";

export class MapView {
  title = "Map";
  #stale = true; // the tracks have changed since they were loaded
  #moving = false; // dragging moves the map
  #later = 0; // timer of the list of what is picked
  #drag = null; // where the pointer was last, while it moves the map
  #plot = new Plot();
  #by = h("div", { class: "segmented", role: "group", "aria-label": "Colour by" }, ["mood", "style"].map(byButton));
  #near = new Near();
  #zooms = zoomControls({ onZoom: (factor) => this.#zoom(factor), onMove: (on) => this.#moveInstead(on) });
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
      h("div", { class: "map-tools" }, h("h1", {}, "Map"), h("div", { class: "grow" }), h("label", { class: "labelled inline hover-only" }, this.#listen, h("span", {}, "Listen on hover")), this.#zooms, this.#near.element, this.#by),
      h("div", { class: "map-area" }, this.#plot.canvas, this.#tip, this.#note),
      h("p", { class: "muted small map-help", id: "map-help" }, this.#near.note, HELP, h("span", { class: "hover-only" }, KEYS)),
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
    if (this.#stale || this.#near.changed) this.#load();
    else if (this.#plot.key === (here().params.get("by") ?? "mood") && this.#legend.children.length) {
      this.#showPicked(); // of the address only that has changed
      this.#plot.drawOver();
    } else this.#showGroups();
  }

  hide() {
    this.#hover(null);
  }

  async #load() {
    this.#stale = false;
    try {
      const { points, frame, outdated } = await this.#near.load();
      if (outdated) return;
      [this.#plot.camera.frame, this.#plot.points] = [frame, points];
      this.#note.hidden = points.length > 0;
      if (!points.length) fill(this.#note, emptyMap());
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
    if (this.#plot.key !== key) off.clear();
    this.#plot.key = key;
    const toggle = (at) => {
      if (!off.delete(at)) off.add(at);
      this.#plot.draw();
      return !off.has(at);
    };
    fill(this.#legend, groupsOf(this.#plot.points, key).map((group) => legendRow(group, !off.has(group.at), toggle)));
    this.#showPicked();
    this.#plot.draw();
  }

  #showPicked() {
    const ids = (this.#plot.picked = pickedIds(here().params, this.#plot.points));
    const picked = this.#plot.points.filter((point) => ids.has(point.id));
    this.#count.textContent = picked.length ? plural(picked.length, "track") + " picked" : "Nothing picked";
    fill(this.#tools, picked.length ? button("Clear", () => change({ pick: null, lasso: null })) : h("p", { class: "muted small" }, "Draw around some tracks to hear just those."));
    clearTimeout(this.#later);
    this.#later = setTimeout(() => fill(this.#list, picked.slice(0, MOST_LISTED).map((point) => miniRow(point, picked))), LATER_MS);
  }

  #hover(point) {
    const plot = this.#plot;
    if (point === plot.hovered) return;
    plot.hovered = point;
    this.#preview.hear(point);
    this.#tip.hidden = !point;
    if (point) showTip(this.#tip, point, plot.canvas.clientWidth);
    plot.canvas.style.cursor = point ? "pointer" : "";
    plot.drawOver();
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
      if (event.shiftKey || this.#moving) this.#drag = { from: spot(event), moved: 0 };
      else plot.lasso = [spot(event)];
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.#drag) return this.#pan(spot(event));
      if (!plot.lasso) return this.#hover(plot.nearest(spot(event)));
      plot.extend(spot(event));
      if (plot.lasso.length > 3) this.#hover(null);
      plot.drawOver();
    });
    canvas.addEventListener("pointerup", (event) => {
      const moved = this.#drag && this.#drag.moved >= CLICK;
      if (this.#drag && !moved) plot.lasso = [spot(event)]; // a click
      this.#drag = null;
      if (!moved) this.#drawn(spot(event));
    });
    canvas.addEventListener("wheel", (event) => {
      // Where the page itself scrolls, that takes the wheel, unless Ctrl is held as for any zoom.
      if (!event.ctrlKey && this.element.scrollHeight > this.element.clientHeight) return;
      event.preventDefault();
      this.#zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), spot(event));
    }, { passive: false });
    canvas.addEventListener("pointercancel", () => {
      plot.lasso = this.#drag = null;
      plot.drawOver();
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
      else change({ pick: null, lasso: null });
    } else {
      const outline = simpler(lasso);
      change(pickParams(plot.inside(outline), outline.map((corner) => plot.camera.at(corner))));
      announce(this.#count.textContent);
    }
    plot.drawOver();
  }

  /** Zoom by a factor around a spot; 0 shows the whole map. */
  #zoom(factor, spot) {
    const { camera } = this.#plot;
    if (factor) camera.zoomBy(factor, spot);
    else camera.reset();
    this.#hover(null);
    this.#plot.draw();
  }

  #pan([x, y]) {
    const [right, down] = [x - this.#drag.from[0], y - this.#drag.from[1]];
    this.#drag = { from: [x, y], moved: this.#drag.moved + Math.abs(right) + Math.abs(down) };
    this.#hover(null);
    this.#plot.camera.panBy(right, down);
    this.#plot.draw();
  }

  /** Have dragging move the map, for a finger or a mouse without Shift; or draw a lasso again. */
  #moveInstead(on) {
    this.#moving = on;
    this.#plot.canvas.classList.toggle("is-moving", on);
  }

  /** Handle a key on the map before the keys of the page do. */
  #key(event) {
    const { points, hovered } = this.#plot;
    const direction = DIRECTIONS[event.key];
    const zoom = { "+": ZOOM, "=": ZOOM, "-": 1 / ZOOM, 0: 0 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (zoom !== undefined) this.#zoom(zoom);
    else if (direction && event.shiftKey) {
      this.#plot.camera.panBy(-PAN * direction[0], -PAN * direction[1]);
      this.#plot.draw();
    } else if (direction && points?.length) this.#go(direction);
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
    if (this.#plot.camera.show(next.at)) this.#plot.paint();
    this.#hover(next);
    announce(`${title(next)}, ${name(next.style)}, ${next.mood}`);
  }
}
