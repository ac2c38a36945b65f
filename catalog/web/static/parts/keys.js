// Keys that work everywhere, and the dialog that lists them.

import { h, iconButton, isTyping } from "../lib/dom.js";
import { rate, trash } from "../lib/edits.js";
import { player } from "../lib/player/player.js";
import { toast } from "../lib/toast.js";
import { addToPlaylist } from "./collections/add.js";

const LIST = [
  ["Anywhere", [["/", "Search"], ["Space", "Play or pause"], ["K", "Play or pause"], ["J  L", "Back, forward 10 seconds"], ["←  →", "Back, forward 5 seconds"], ["Shift J  Shift L", "Previous, next track"], ["R", "Repeat on, off"], ["Alt ↑  Alt ↓", "In the queue: play it earlier, later"], ["?", "This list"], ["Esc", "Close what is open"]]],
  ["In the list", [["↑  ↓", "Previous, next row"], ["Enter", "Open the details"], ["T", "Show or hide the other takes"], ["X", "Select"], ["Ctrl A", "Select the whole list"], ["Shift click", "Select up to there"], ["Esc", "Give the selection up"]]],
  ["The open track, else what is selected, else the row", [["1 … 5", "Rate"], ["0", "Take the rating away"], ["P", "Add to a playlist"], ["Delete", "Move to the trash"]]],
  ["Search", [["mood:calm", "A mood that must be there"], ["tag:favourite", "A tag of yours"], ["style:ambient_lofi", "A style; also role, quality, environment, backend"], ["length:10..30", "Between 10 and 30 seconds"], ["rating:4..", "Rated 4 and better"]]],
];

export function helpDialog() {
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "help-title", onclick: (event) => event.target === dialog && dialog.close() },
    h("div", { class: "dialog-head" }, h("h2", { id: "help-title" }, "Keys and search terms"), iconButton("close", "Close", () => dialog.close())),
    h(
      "div",
      { class: "help" },
      LIST.map(([heading, keys]) => h("section", {}, h("h3", {}, heading), h("dl", {}, keys.map(([key, what]) => h("div", {}, h("dt", {}, key.split("  ").map((one) => h("kbd", {}, one))), h("dd", {}, what)))))),
    ),
  );
  return dialog;
}

const RATINGS = [0, 1, 2, 3, 4, 5];

/** Return the keys that change the tracks `subject()`; what they changed, a note tells. */
function changes(subject) {
  const on = (work) => () => {
    const tracks = subject();
    if (tracks.length) work(tracks);
    else toast("Choose a track first: press ↓, or click one.", { slot: "change" });
  };
  return {
    ...Object.fromEntries(RATINGS.map((rating) => [rating, on((tracks) => rate(tracks, rating || null))])),
    p: on(addToPlaylist),
    Delete: on((tracks) => trash(tracks.filter((track) => track.state !== "trashed"))),
  };
}

/** Listen to keys. `current()` returns the view in sight, `subject()` the tracks to change; `search()` focuses its field; `close()` closes what is open. */
export function listenToKeys({ current, subject, help, search, close }) {
  const changing = changes(subject);
  addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && key === "a" && current().selectAll && !isTyping(target)) {
      event.preventDefault();
      return current().selectAll();
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "Escape") {
      if (isTyping(target)) target.blur();
      else close();
      return;
    }
    if (isTyping(target) || target.matches?.("[role=slider], input[type=range], input[type=radio]")) return;
    const onControl = target.matches?.("button, a, summary, input[type=checkbox]");
    const everywhere = {
      "/": search,
      "?": () => help.showModal(),
      k: () => player.toggle(),
      j: () => player.skip(-10),
      l: () => player.skip(10),
      J: () => player.step(-1),
      L: () => player.step(1),
      r: () => (player.loop = !player.loop),
      ArrowLeft: () => player.skip(-5),
      ArrowRight: () => player.skip(5),
      // Space and Enter press the button or link in focus; but on the title of a row Space plays.
      ...(!onControl || target.matches(".row-title") ? { " ": () => (current().playCurrent ? current().playCurrent() : player.toggle()) } : {}),
    };
    const inView = { ...changing, ...current().keys };
    if (onControl && !target.matches(".row-title")) delete inView.Enter;
    const run = everywhere[key] ?? everywhere[key.length === 1 && !event.shiftKey ? key.toLowerCase() : key] ?? inView[key] ?? inView[key.toLowerCase()];
    if (!run) return;
    event.preventDefault();
    run();
  });
}
