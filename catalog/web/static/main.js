// Puts the page together: views by address, the detail panel, the player's bar, keys.

import { fill, iconButton, setIcon } from "./lib/dom.js";
import { composeView } from "./views/compose.js";
import { detailPanel } from "./views/detail.js";
import { historyView } from "./views/history.js";
import { jobs, jobsTray } from "./lib/jobs.js";
import { helpDialog, listenToKeys } from "./parts/keys.js";
import { mapView } from "./views/map.js";
import { playerBar } from "./parts/bar.js";
import { change, here, onChange, tell } from "./lib/route.js";
import { complain } from "./lib/toast.js";
import { tracksView } from "./views/tracks.js";

const makers = { tracks: tracksView, compose: composeView, map: mapView, history: historyView };
const views = {};
const main = document.getElementById("main");

const detail = detailPanel();
const bar = playerBar();
const help = helpDialog();
document.body.append(help);

const theme = iconButton("moon", "Dark theme", () => dispatchEvent(new Event("themetoggle")));
const showTheme = () => {
  const dark = document.documentElement.dataset.theme === "dark";
  setIcon(theme, dark ? "sun" : "moon");
  theme.setAttribute("aria-label", dark ? "Light theme" : "Dark theme");
  theme.title = dark ? "Light theme" : "Dark theme";
};
addEventListener("themechange", showTheme);
showTheme();
fill(document.getElementById("bar-end"), jobsTray(), theme, iconButton("keyboard", "Keys and search terms", () => help.showModal()));

let shown = null;

function show(place) {
  const { view } = place;
  if (shown && shown !== view) views[shown].hide?.();
  if (!views[view]) {
    views[view] = makers[view]();
    main.append(views[view].element);
  }
  for (const [name, one] of Object.entries(views)) one.element.hidden = name !== view;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.view = view;
  document.body.dataset.title = `${views[view].title} · Music catalog`;
  document.title = document.body.dataset.title;
  const moved = shown !== null && shown !== view;
  shown = view;
  views[view].show(place);
  detail.show(place);
  bar.refresh();
  if (moved && !place.params.get("track")) main.focus({ preventScroll: true });
}

onChange(show);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
listenToKeys({
  current: () => views[shown],
  help,
  search() {
    if (!views[shown].focusSearch) change({}, { view: "tracks" });
    views[shown].focusSearch();
  },
  close() {
    if (document.querySelector(".facets-open")) document.querySelector(".facets-open .side-head button").click();
    else if (detail.open) detail.close();
  },
});
jobs.load().catch(complain);
tell();
