// A small dialog that asks for a name, or for another line of text.

import { button, fill, h, iconButton } from "../../lib/dom.js";

const REFUSED = "That name cannot be used, or is in use already. Choose another one.";

/** Ask for a name of up to `most` letters and call `submit(name)`; its error is shown below the field, `refused` where the name cannot be used. `above(close)` gives what stands over it. */
export function askName({ heading, label, value = "", does, submit, most = 80, refused = REFUSED, above = () => null }) {
  const input = h("input", { class: "input", id: "collection-name", value, maxlength: String(most), autocomplete: "off", dir: "auto", "aria-describedby": "name-problem" });
  const problem = h("p", { class: "field-problem", id: "name-problem", role: "alert" });
  const close = () => dialog.close();
  const send = async (event) => {
    event.preventDefault();
    if (!input.value.trim()) return fill(problem, `Write a ${label.toLowerCase()} first.`);
    try {
      await submit(input.value.trim());
      close();
    } catch (error) {
      fill(problem, error.status === 422 && refused ? refused : error.message);
      input.focus();
    }
  };
  const dialog = h(
    "dialog",
    { class: "dialog naming", "aria-labelledby": "naming-title", onclose: () => dialog.remove(), onclick: (event) => event.target === dialog && close() },
    h("div", { class: "dialog-head" }, h("h2", { id: "naming-title" }, heading), iconButton("close", "Close", close)),
    above(close),
    h("form", { class: "naming-form", onsubmit: send }, h("label", { for: "collection-name" }, label), h("div", {}, input, button(does, null, { type: "submit", class: "button primary" })), problem),
  );
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
  input.select();
}
