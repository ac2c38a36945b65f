// Music of one's own: a dialog that takes audio files and their licence, and sends them one after the other.

import { button, fill, h, iconButton } from "../../lib/dom.js";
import { made } from "../../lib/edits.js";
import { plural } from "../../lib/format.js";
import { sendSound } from "../../lib/send.js";
import { toast } from "../../lib/toast.js";

/** Ask for the licence of the `dropped` files, or for files and their licence, and add them. */
export function askMusic(dropped = []) {
  let files = [...dropped];
  const chosen = h("input", { class: "input", id: "music-files", type: "file", multiple: true, accept: "audio/*,.flac,.ogg,.opus,.m4a", onchange: () => (files = [...chosen.files]) });
  const license = h("input", { class: "input", id: "music-license", maxlength: "200", autocomplete: "off", placeholder: "CC-BY-4.0" });
  const state = h("p", { class: "muted", role: "status" });
  const problems = h("ul", { class: "field-problem" });
  const submit = button("Add", null, { type: "submit", class: "button primary" });
  const close = () => dialog.close();
  const send = async (event) => {
    event.preventDefault();
    if (!files.length) return fill(state, "Choose files first.");
    submit.disabled = true;
    fill(problems);
    const { added, there, failed } = await addAll(files, license.value.trim(), (text) => fill(state, text));
    const told = [`${plural(added, "track")} added`, there && `${there} there already`].filter(Boolean).join(", ");
    submit.disabled = false;
    if (!failed.length) {
      toast(`${told}.`);
      return close();
    }
    fill(state, `${told}, ${failed.length} could not be added:`);
    fill(problems, failed.map((text) => h("li", {}, text)));
    files = [];
  };
  const dialog = h(
    "dialog",
    { class: "dialog naming", "aria-labelledby": "music-title", onclose: () => dialog.remove(), onclick: (event) => event.target === dialog && close() },
    h("div", { class: "dialog-head" }, h("h2", { id: "music-title" }, files.length ? `Add ${plural(files.length, "file")}` : "Add music"), iconButton("close", "Close", close)),
    h(
      "form",
      { class: "naming-form", onsubmit: send },
      files.length ? null : [h("label", { for: "music-files" }, "Audio files"), h("div", {}, chosen)],
      h("label", { for: "music-license" }, "Licence, for files that state none or another (empty: as they say)"),
      h("div", {}, license, submit),
      state,
      problems,
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  (files.length ? license : chosen).focus();
}

/** Send files one after the other; returns how many were added and there already, and a sentence for each that failed. */
async function addAll(files, license, tell) {
  const done = { added: 0, there: 0, failed: [] };
  for (const [index, file] of files.entries()) {
    tell(`Adding ${index + 1} of ${files.length}: ${file.name}`);
    try {
      const answer = await sendSound(`/tracks?${new URLSearchParams({ name: file.name, license })}`, file);
      if (answer.outcome === "added") {
        done.added += 1;
        made(answer.track);
      } else done.there += 1;
    } catch (error) {
      done.failed.push(error.message.includes(file.name) ? error.message : `${file.name}: ${error.message}`);
    }
  }
  return done;
}
