// The whole page: views by address, the detail panel, the player's bar, keys.

import { connection } from "./lib/connection.js";
import { fill, h, iconButton, setIcon } from "./lib/dom.js";
import { jobs } from "./lib/jobs.js";
import { connectMediaKeys } from "./lib/player/media_keys.js";
import { playInOneTab } from "./lib/player/one_tab.js";
import { change, here, notify, onChange } from "./lib/route.js";
import { complain } from "./lib/toast.js";
import { playerBar } from "./parts/bar.js";
import { connectionStrip } from "./parts/connection.js";
import { glance } from "./parts/glance.js";
import { jobsTray } from "./parts/jobs.js";
import { helpDialog, listenToKeys } from "./parts/keys.js";
import { DetailPanel } from "./views/detail.js";
import { TracksView } from "./views/tracks.js";

// The list comes with the page, any other view when it is first shown.
const VIEWS = {
  tracks: () => TracksView,
  compose: async () => (await import("./views/compose.js")).ComposeView,
  scene: async () => (await import("./views/scene.js")).SceneView,
  story: async () => (await import("./views/story.js")).StoryView,
  map: async () => (await import("./views/map.js")).MapView,
  history: async () => (await import("./views/history.js")).HistoryView,
  collection: async () => (await import("./views/collection.js")).CollectionView,
};
const STYLED = ["history", "map", "story"]; // whose style sheet comes with them
const views = {}; // name -> view, from when it was first shown
const main = document.getElementById("main");
const detail = new DetailPanel();
const bar = playerBar();
const help = helpDialog();
let shown = null; // name of the view in sight

function themeButton() {
  const element = iconButton("moon", "Dark theme", () => dispatchEvent(new Event("themetoggle")));
  const show = () => {
    const dark = document.documentElement.dataset.theme === "dark";
    setIcon(element, dark ? "sun" : "moon");
    element.title = dark ? "Light theme" : "Dark theme";
    element.setAttribute("aria-label", element.title);
  };
  addEventListener("themechange", show);
  show();
  return element;
}

async function show({ view }) {
  if (!views[view]) await add(view);
  const place = here();
  if (views[view] && place.view === view) draw(place); // else the reader went on meanwhile
}

async function add(view) {
  try {
    const [View] = await Promise.all([VIEWS[view](), STYLED.includes(view) && styled(view)]);
    views[view] ??= new View();
    main.append(views[view].element);
  } catch (error) {
    complain(error);
  }
}

/** Fetch the style sheet of a view; without it the view is plain, and still works. */
function styled(view) {
  return new Promise((resolve) => document.head.append(h("link", { rel: "stylesheet", href: `static/styles/${view}.css`, onload: resolve, onerror: resolve })));
}

function draw(place) {
  const { view } = place;
  const moved = shown !== null && shown !== view;
  if (moved) views[shown].hide?.();
  shown = view;
  for (const [name, one] of Object.entries(views)) one.element.hidden = name !== view;
  markLink(view);
  document.body.dataset.view = view;
  document.title = document.body.dataset.title = `${views[view].title} · Music catalog`;
  views[view].show(place);
  detail.show(place);
  bar.refresh();
  if (moved && !place.params.get("track")) main.focus({ preventScroll: true });
}

function markLink(view) {
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === (view === "collection" ? "tracks" : view)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function search() {
  if (!views.tracks) await add("tracks");
  if (!views[shown]?.focusSearch) change({}, { view: "tracks" });
  views[shown]?.focusSearch();
}

function close() {
  const filters = document.querySelector(".facets-open .side-head button");
  const queue = document.querySelector(".bar-queue[aria-expanded=true]");
  if (filters) filters.click();
  else if (queue) queue.click();
  else if (detail.open) detail.close();
  else views[shown]?.escape?.();
}

document.body.append(help);
fill(document.getElementById("bar-end"), glance(), jobsTray(), themeButton(), iconButton("keyboard", "Keys and search terms", () => help.showModal()));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
/** Return the tracks that a key rates or trashes: the one whose details are open, else what the view has chosen. */
const subject = () => (detail.open ? [detail.track] : views[shown]?.chosen ?? []);

document.querySelector("header.bar").after(connectionStrip());
onChange(show);
connection.addEventListener("back", () => show(here()));
listenToKeys({ current: () => views[shown] ?? {}, subject, help, search, close });
jobs.load().catch(complain);
connectMediaKeys();
playInOneTab();
notify();
