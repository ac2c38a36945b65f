// One track in a collection: a handle to move it in a playlist, and a button that takes it out.

import { h, icon, iconButton } from "../../lib/dom.js";
import { title } from "../../lib/format.js";
import { TrackRow } from "../../parts/row.js";

export class CollectedRow extends TrackRow {
  #handle = h("button", { type: "button", class: "icon-button row-handle", title: "Drag to move, or press ↑ ↓" }, icon("grip"));
  #out = iconButton("close", "Take out", () => this.#list.onOut(this.track), { class: "icon-button row-act" });
  #list;
  #index = 0;

  /** `list` also has `isPlaylist()`, `onOut(track)`, `onMove(index, steps)` and `onDrag(event, index)`. */
  constructor(list) {
    super(list);
    this.#list = list;
    this.element.querySelector(".row-check").replaceWith(this.#handle);
    this.element.append(this.#out);
    this.#handle.addEventListener("pointerdown", (event) => list.onDrag(event, this.#index));
    this.#handle.addEventListener("keydown", (event) => {
      const steps = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!steps) return;
      event.preventDefault();
      list.onMove(this.#index, steps);
    });
  }

  show(track, index, current) {
    super.show(track, index, current);
    this.#index = index;
    const gone = track?.state === "trashed";
    this.element.classList.toggle("is-gone", gone);
    for (const control of [this.#handle, this.#out]) {
      control.hidden = !track || !this.#list.isPlaylist();
      control.tabIndex = current ? 0 : -1;
    }
    if (!track) return;
    this.#handle.setAttribute("aria-label", `Move ${title(track)}`);
    this.#out.setAttribute("aria-label", `Take ${title(track)} out`);
    if (gone) this.element.querySelector(".row-marks").textContent = "In the trash";
  }
}
