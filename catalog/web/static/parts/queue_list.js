// The tracks that play next: played from here, put in another order, taken out.

import { announce, fill, h, icon, iconButton } from "../lib/dom.js";
import { clock, title } from "../lib/format.js";
import { player } from "../lib/player/player.js";
import { reordered } from "../lib/player/queue.js";
import { playButton, trackLink } from "./play.js";

const SHOWN = 20;

export class QueueList {
  element = h("ol", { class: "mini-list", role: "list" });
  #next = []; // [{track, queue}], one more than is shown
  #of = null; // the queue whose tracks are listed

  /** Show what plays next, unless that is shown already. */
  async show() {
    const { queue } = player;
    if (this.#of === queue) return;
    this.#of = queue;
    const next = await player.upcoming(SHOWN + 1);
    if (this.#of !== queue) return;
    this.#next = next;
    const lines = next.slice(0, SHOWN).map((one, at) => this.#line(one, at));
    if (!next.length) lines.push(h("li", { class: "muted" }, "Nothing comes after this track."));
    if (next.length > SHOWN) lines.push(h("li", { class: "muted" }, "And more."));
    fill(this.element, lines);
  }

  forget() {
    this.#of = null;
  }

  #line({ track, queue }, at) {
    const name = title(track);
    const handle = h("button", { type: "button", class: "icon-button queue-handle", "aria-label": `Move ${name}`, title: "Drag to move, or press Alt ↑ ↓", onpointerdown: (event) => this.#drag(event, at) }, icon("grip"));
    const out = iconButton("close", `Take ${name} out of the queue`, () => this.#takeOut(at));
    const keys = (event) => {
      const steps = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (event.key === "Delete") this.#takeOut(at);
      else if (steps && (event.altKey || event.target === handle)) this.#move(at, at + steps);
      else return;
      event.preventDefault();
    };
    return h("li", { class: "mini", onkeydown: keys }, handle, playButton(track, () => queue), h("div", { class: "mini-text" }, trackLink(track.id, name, { class: "mini-title", dir: "auto" })), h("span", { class: "muted numbers" }, clock(track.duration_s)), out);
  }

  async #takeOut(at) {
    const [{ track }] = this.#next.slice(at);
    await this.#change(this.#next.filter((_, place) => place !== at));
    announce(`${title(track)} is taken out of the queue`);
    this.#focus(Math.min(at, this.element.children.length - 1));
  }

  async #move(at, to) {
    if (to < 0 || to >= Math.min(SHOWN, this.#next.length)) return;
    const next = [...this.#next];
    next.splice(to, 0, ...next.splice(at, 1));
    await this.#change(next);
    announce(`Moved to place ${to + 1}`);
    this.#focus(to);
  }

  #focus(at) {
    this.element.children[at]?.querySelector(".queue-handle")?.focus();
  }

  async #change(next) {
    const last = this.#next.at(-1).queue;
    player.queue = reordered(next, last, { track: player.track, queue: player.queue });
    await this.show();
  }

  /** Follow the pointer that pressed a handle; the line is dropped where it is let go. */
  #drag(event, at) {
    if (event.button !== 0) return;
    event.preventDefault();
    const handle = event.currentTarget;
    const lines = [...this.element.querySelectorAll(".mini")];
    let to = at;
    handle.setPointerCapture(event.pointerId);
    const mark = () => lines.forEach((line, place) => (line.dataset.drop = place === to && to !== at ? (to < at ? "before" : "after") : ""));
    const follow = ({ clientY }) => {
      to = lines.filter((line, place) => place !== at && line.getBoundingClientRect().top + line.offsetHeight / 2 < clientY).length;
      mark();
    };
    const end = (done) => {
      handle.removeEventListener("pointermove", follow);
      for (const line of lines) delete line.dataset.drop;
      if (done.type === "pointerup" && to !== at) this.#move(at, to);
    };
    handle.addEventListener("pointermove", follow);
    handle.addEventListener("pointerup", end, { once: true });
    handle.addEventListener("pointercancel", end, { once: true });
  }
}
