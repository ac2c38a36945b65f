// What plays next, in a list above the player.

import { h, iconButton } from "../lib/dom.js";
import { player } from "../lib/player/player.js";
import { complain } from "../lib/toast.js";

/** Return {button, panel}: the button opens and closes the list, which comes when it is first opened. */
export function queuePanel() {
  const note = h("p", { class: "muted" });
  const panel = h("section", { class: "queue", id: "queue", "aria-label": "Queue", hidden: true }, h("h2", {}, "Up next"), note);
  const button = iconButton("queue", "Queue", () => open(panel.hidden).catch(complain), { class: "icon-button bar-queue", "aria-expanded": "false", "aria-controls": "queue" });
  let list = null;
  async function show() {
    note.textContent = player.repeats ? "Repeat is on: this track plays again." : "";
    note.hidden = !note.textContent;
    if (!list) {
      const { QueueList } = await import("./queue_list.js");
      list ??= new QueueList();
      panel.append(list.element);
    }
    await list.show();
  }
  async function open(on) {
    panel.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
    list?.forget();
    if (on) await show();
  }
  player.addEventListener("change", () => panel.hidden || show().catch(complain));
  return { button, panel };
}
