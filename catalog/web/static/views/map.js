// The catalog in two dimensions: what is near in meaning lies near. Hover to listen, draw a lasso to filter.

import { get, trackUrl } from "../lib/api.js";
import { announce, button, colour, fill, h } from "../lib/dom.js";
import { miniRow } from "./detail.js";
import { edits } from "../lib/edits.js";
import { name, plural, title } from "../lib/format.js";
import { player } from "../lib/player.js";
import { change, here } from "../lib/route.js";
import { complain } from "../lib/toast.js";

const GROUPS = 8;
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "ring", "down", "bar", "dot"];
const DWELL_MS = 160;
const REACH = 14;
const PAD = 28;

export function mapView() {
  let points = null;
  let groups = [];
  let hovered = null;
  let lasso = null;
  let off = new Set();
  let stale = true;
  let frame = 0;
  const picked = () => new Set(here().params.getAll("pick"));

  const canvas = h("canvas", { class: "map-canvas", tabindex: "0", role: "application", "aria-label": "Map of the catalog", "aria-describedby": "map-help" });
  const by = h("div", { class: "segmented", role: "group", "aria-label": "Colour by" }, ["mood", "style"].map((one) => h("button", { type: "button", data: { by: one }, onclick: () => change({ by: one === "mood" ? null : one }, { replace: true }) }, name(one))));
  const listen = h("input", { type: "checkbox", class: "check", checked: true });
  const legend = h("ul", { class: "legend", role: "list" });
  const tip = h("div", { class: "map-tip", hidden: true, "aria-hidden": "true" });
  const list = h("ul", { class: "mini-list", role: "list" });
  const count = h("h2", { class: "map-count" });
  const tools = h("div", { class: "actions" });
  const element = h(
    "div",
    { class: "view map" },
    h(
      "div",
      { class: "map-pane" },
      h("div", { class: "map-tools" }, h("h1", {}, "Map"), h("div", { class: "grow" }), h("label", { class: "labelled inline" }, listen, h("span", {}, "Listen on hover")), by),
      h("div", { class: "map-area" }, canvas, tip),
      h("p", { class: "muted small map-help", id: "map-help" }, "Near means alike in meaning. Click a track to open it, drag a lasso to pick several; with the keyboard, arrows go from track to track, Enter opens, Space plays."),
    ),
    h("aside", { class: "map-side", "aria-label": "Picked on the map" }, h("div", { class: "legend-box" }, legend), h("div", { class: "section-head" }, count), tools, list),
  );

  // Listening on hover is a player of its own, so that what plays goes on afterwards.
  const preview = new Audio();
  preview.volume = 0.8;
  let dwell = 0;
  let resume = false;
  function hear(point) {
    clearTimeout(dwell);
    if (!point) {
      preview.pause();
      if (resume) player.toggle();
      resume = false;
      return;
    }
    if (!listen.checked) return;
    dwell = setTimeout(() => {
      if (player.playing) {
        resume = true;
        player.pause();
      }
      preview.src = trackUrl(point.id, "audio");
      preview.play().catch((error) => error.name === "NotAllowedError" && announce("Click once, then hovering plays."));
    }, DWELL_MS);
  }

  async function load() {
    stale = false;
    try {
      const told = await get("/map");
      points = told.points;
      regroup();
    } catch (error) {
      stale = true;
      complain(error);
    }
  }

  function regroup() {
    if (!points) return;
    const key = here().params.get("by") ?? "mood";
    for (const one of by.children) one.setAttribute("aria-pressed", String(one.dataset.by === key));
    const counts = new Map();
    for (const point of points) counts.set(point[key] || "none", (counts.get(point[key] || "none") ?? 0) + 1);
    const first = [...counts].sort(([a, x], [b, y]) => y - x || a.localeCompare(b)).slice(0, GROUPS).map(([value]) => value);
    groups = first.map((value, at) => ({ value, at, count: counts.get(value) }));
    const others = points.length - groups.reduce((sum, group) => sum + group.count, 0);
    if (others) groups.push({ value: "others", at: GROUPS, count: others });
    for (const point of points) {
      const at = first.indexOf(point[key] || "none");
      point.group = at < 0 ? GROUPS : at;
    }
    fill(
      legend,
      groups.map((group) =>
        h("li", {}, h("button", { type: "button", class: "legend-value", "aria-pressed": String(!off.has(group.at)), onclick: (event) => ((off.has(group.at) ? off.delete(group.at) : off.add(group.at)), event.currentTarget.setAttribute("aria-pressed", String(!off.has(group.at))), draw()) }, swatch(group.at), h("span", {}, name(group.value)), h("span", { class: "facet-count" }, String(group.count)))),
      ),
    );
    draw();
    showPicked();
  }

  function swatch(at) {
    const box = h("canvas", { class: "swatch", width: "28", height: "28", "aria-hidden": "true" });
    const pen = box.getContext("2d");
    pen.scale(2, 2);
    mark(pen, SHAPES[at], 7, 7, 4.5, colour(`group-${at}`));
    return box;
  }

  const visible = () => points?.filter((point) => !off.has(point.group)) ?? [];

  function place(point) {
    const { clientWidth: width, clientHeight: height } = canvas;
    const { x, y, size_x, size_y } = bounds();
    return [PAD + ((point.x - x) / size_x) * (width - 2 * PAD), height - PAD - ((point.y - y) / size_y) * (height - 2 * PAD)];
  }

  function bounds() {
    const xs = points.map((point) => point.x);
    const ys = points.map((point) => point.y);
    const [x, y] = [least(xs), least(ys)];
    return { x, y, size_x: -least(xs.map((one) => -one)) - x || 1, size_y: -least(ys.map((one) => -one)) - y || 1 };
  }

  function draw() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(paint);
  }

  function paint() {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !points?.length) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const chosen = picked();
    const colours = Array.from({ length: GROUPS + 1 }, (_, at) => colour(`group-${at}`));
    const box = bounds();
    const size = points.length > 3000 ? 2.5 : points.length > 600 ? 4 : points.length > 150 ? 5.5 : 7;
    for (const point of points) {
      if (off.has(point.group)) continue;
      point.at = [PAD + ((point.x - box.x) / box.size_x) * (width - 2 * PAD), height - PAD - ((point.y - box.y) / box.size_y) * (height - 2 * PAD)];
      pen.globalAlpha = chosen.size && !chosen.has(point.id) ? 0.18 : 0.9;
      mark(pen, SHAPES[point.group], point.at[0], point.at[1], size, colours[point.group]);
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = colour("text");
    for (const point of points) {
      if (!point.at || off.has(point.group)) continue;
      if (point !== hovered && !player.isCurrent(point) && here().params.get("track") !== point.id) continue;
      pen.lineWidth = point === hovered ? 2 : 1.5;
      pen.beginPath();
      pen.arc(point.at[0], point.at[1], size + 5, 0, 7);
      pen.stroke();
    }
    if (lasso?.length > 1) {
      pen.lineWidth = 1.5;
      pen.setLineDash([5, 4]);
      pen.beginPath();
      for (const [x, y] of lasso) pen.lineTo(x, y);
      pen.closePath();
      pen.stroke();
      pen.globalAlpha = 0.07;
      pen.fillStyle = colour("text");
      pen.fill();
    }
  }

  function nearest([x, y], reach = REACH) {
    let best = null;
    let least_ = reach;
    for (const point of visible()) {
      if (!point.at) continue;
      const far = Math.hypot(point.at[0] - x, point.at[1] - y);
      if (far <= least_) [best, least_] = [point, far];
    }
    return best;
  }

  function hover(point) {
    if (point === hovered) return;
    hovered = point;
    hear(point);
    tip.hidden = !point;
    if (point) {
      fill(tip, h("strong", {}, title(point)), h("span", {}, [name(point.style), point.mood].filter(Boolean).join(" · ")));
      const [x, y] = place(point);
      const right = x > canvas.clientWidth / 2;
      tip.style.transform = `translate(${right ? x - 12 : x + 12}px, ${y}px) translate(${right ? "-100%" : "0"}, -50%)`;
    }
    canvas.style.cursor = point ? "pointer" : "crosshair";
    draw();
  }

  function openPoint(point) {
    hear(null);
    player.play(point, { queue: null });
    change({ track: point.id });
  }

  const spot = (event) => [event.offsetX, event.offsetY];
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    lasso = [spot(event)];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!lasso) return hover(nearest(spot(event)));
    lasso.push(spot(event));
    if (lasso.length > 3) hover(null);
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    const drawn = lasso;
    lasso = null;
    if (!drawn) return;
    const far = Math.max(...drawn.map(([x, y]) => Math.hypot(x - drawn[0][0], y - drawn[0][1])));
    if (far < 6) {
      const point = nearest(spot(event));
      if (point) openPoint(point);
      else change({ pick: null });
      return draw();
    }
    const inside = visible().filter((point) => point.at && contains(drawn, point.at));
    change({ pick: inside.map((point) => point.id) });
    announce(`${plural(inside.length, "track")} picked`);
    draw();
  });
  canvas.addEventListener("pointercancel", () => ((lasso = null), draw()));
  canvas.addEventListener("pointerleave", () => !lasso && hover(null));
  canvas.addEventListener("blur", () => hover(null));
  canvas.addEventListener("keydown", (event) => {
    const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (way && points?.length) {
      event.preventDefault();
      event.stopPropagation();
      const from = hovered?.at ?? [canvas.clientWidth / 2, canvas.clientHeight / 2];
      const next = visible()
        .filter((point) => point !== hovered && point.at)
        .map((point) => ({ point, along: (point.at[0] - from[0]) * way[0] + (point.at[1] - from[1]) * way[1], far: Math.hypot(point.at[0] - from[0], point.at[1] - from[1]) }))
        .filter(({ along, far }) => along > far * 0.5)
        .sort((a, b) => a.far - b.far)[0];
      if (next) {
        hover(next.point);
        announce(`${title(next.point)}, ${name(next.point.style)}, ${next.point.mood}`);
      }
    } else if (event.key === "Enter" && hovered) openPoint(hovered);
    else if (event.key === " " && hovered) {
      event.preventDefault();
      event.stopPropagation();
      hear(null);
      player.toggle(hovered, { queue: null });
    }
  });
  new ResizeObserver(draw).observe(canvas);
  addEventListener("themechange", () => regroup());
  player.addEventListener("change", draw);
  for (const event of ["gone", "back", "made"]) edits.addEventListener(event, () => ((stale = true), element.isConnected && !element.hidden && load()));

  function showPicked() {
    const chosen = picked();
    const found = points?.filter((point) => chosen.has(point.id)) ?? [];
    count.textContent = found.length ? plural(found.length, "track") + " picked" : "Nothing picked";
    fill(tools, found.length ? button("Clear", () => change({ pick: null })) : h("p", { class: "muted small" }, "Draw around some tracks to hear just those."));
    fill(list, found.slice(0, 200).map((point) => miniRow(point, found)));
  }

  return {
    element,
    title: "Map",
    show() {
      if (stale) load();
      else regroup();
    },
    hide() {
      hover(null);
    },
  };
}

function least(values) {
  return values.reduce((a, b) => Math.min(a, b), Infinity);
}

function mark(pen, shape, x, y, size, paint) {
  pen.fillStyle = pen.strokeStyle = paint;
  pen.lineWidth = Math.max(1.5, size / 2.4);
  pen.beginPath();
  if (shape === "circle") pen.arc(x, y, size, 0, 7);
  else if (shape === "dot") pen.arc(x, y, size * 0.55, 0, 7);
  else if (shape === "square") pen.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8);
  else if (shape === "bar") pen.rect(x - size * 1.15, y - size * 0.4, size * 2.3, size * 0.8);
  else if (shape === "diamond") polygon(pen, [[x, y - size * 1.2], [x + size * 1.2, y], [x, y + size * 1.2], [x - size * 1.2, y]]);
  else if (shape === "triangle") polygon(pen, [[x, y - size * 1.1], [x + size * 1.1, y + size * 0.9], [x - size * 1.1, y + size * 0.9]]);
  else if (shape === "down") polygon(pen, [[x, y + size * 1.1], [x + size * 1.1, y - size * 0.9], [x - size * 1.1, y - size * 0.9]]);
  else if (shape === "ring") return pen.arc(x, y, size * 0.85, 0, 7), pen.stroke();
  else if (shape === "cross") {
    for (const [dx, dy] of [[1, 1], [1, -1]]) {
      pen.moveTo(x - dx * size * 0.85, y - dy * size * 0.85);
      pen.lineTo(x + dx * size * 0.85, y + dy * size * 0.85);
    }
    return pen.stroke();
  }
  pen.fill();
}

function polygon(pen, corners) {
  for (const [x, y] of corners) pen.lineTo(x, y);
  pen.closePath();
}

function contains(shape, [x, y]) {
  let inside = false;
  for (let i = 0, j = shape.length - 1; i < shape.length; j = i++) {
    const [[ax, ay], [bx, by]] = [shape[i], shape[j]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
