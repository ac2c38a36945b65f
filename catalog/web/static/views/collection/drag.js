// Move a row of a playlist by its handle, with a mouse, a pen or a finger.

import { h } from "../../lib/dom.js";

const EDGE = 40; // pixels at the ends of the list where it scrolls along

/** Follow the pointer that pressed the handle of the row at `index`; `drop(to)` gets the place it is let go at. */
export function followDrag(event, index, rows, drop) {
  if (event.button !== 0) return;
  event.preventDefault();
  const handle = event.currentTarget;
  const row = handle.closest(".row");
  const height = row.offsetHeight;
  const line = h("li", { class: "drop-line", "aria-hidden": "true" });
  let to = index;
  handle.setPointerCapture(event.pointerId);
  row.classList.add("is-dragged");
  rows.list.append(line);
  const follow = ({ clientY }) => {
    const { top, bottom } = rows.element.getBoundingClientRect();
    if (clientY < top + EDGE) rows.element.scrollTop -= height / 4;
    if (clientY > bottom - EDGE) rows.element.scrollTop += height / 4;
    const gap = Math.round((clientY - top + rows.element.scrollTop) / height);
    to = Math.min(rows.pages.total, Math.max(0, gap));
    line.style.transform = `translateY(${to * height}px)`;
    to -= to > index ? 1 : 0; // the row leaves its own place
  };
  const end = (done) => {
    handle.removeEventListener("pointermove", follow);
    row.classList.remove("is-dragged");
    line.remove();
    if (done.type === "pointerup" && to !== index) drop(to);
  };
  follow(event);
  handle.addEventListener("pointermove", follow);
  handle.addEventListener("lostpointercapture", end, { once: true });
  handle.addEventListener("pointerup", end, { once: true });
}
