// What can be done with a track: make it again, download it, trash it.

import { post, trackPath, trackUrl } from "../../lib/api.js";
import { button, h, icon } from "../../lib/dom.js";
import { restore, trash } from "../../lib/edits.js";
import { jobs } from "../../lib/jobs.js";
import { address } from "../../lib/route.js";
import { complain, toast } from "../../lib/toast.js";
import { addToPlaylist } from "../../parts/collections/add.js";

const FORMATS = ["wav", "flac", "ogg"];

export function actions(track) {
  if (track.state === "trashed") return h("div", { class: "actions" }, button("Restore", () => restore([track]), { class: "button primary", icon: "restore" }));
  return h(
    "div",
    { class: "actions" },
    button("Make a variation", () => makeAgain(track, true), { icon: "variation" }),
    button("Make it again", () => makeAgain(track, false), { icon: "again" }),
    button("Add to playlist", () => addToPlaylist([track]), { icon: "plus" }),
    h("a", { class: "button", href: address("scene", new URLSearchParams({ bed: track.id })) }, "Put under a voice"),
    h("div", { class: "downloads", role: "group", "aria-label": "Download" }, FORMATS.map((format) => download(track, format))),
    button("Trash", () => trash([track]), { icon: "trash" }),
  );
}

async function makeAgain(track, variation) {
  try {
    const { data } = await post(trackPath(track.id, "again"), { variation });
    jobs.follow(data.job);
    toast(variation ? "Making a variation: the same request with another seed." : "Making it again: the same request with the same seed.", { slot: "ready" });
  } catch (error) {
    complain(error);
  }
}

function download(track, format) {
  const href = trackUrl(track.id, "audio", { download: 1, format });
  return h("a", { class: "button small", href, download: "" }, icon("download"), h("span", {}, format.toUpperCase()), h("span", { class: "sr" }, " download"));
}
