// What a newcomer sees in place of an empty catalog: three contexts, each of which makes music with one click.

import { post } from "../../lib/api.js";
import { button, fill, h } from "../../lib/dom.js";
import { EXAMPLES } from "../../lib/examples.js";
import { isFinal, jobs } from "../../lib/jobs.js";
import { player } from "../../lib/player/player.js";
import { complain } from "../../lib/toast.js";
import { jobCard } from "../../parts/jobs.js";

export function newcomer() {
  return [
    h("h2", {}, "Music for what your application says"),
    h("p", {}, "Click one of these. A track is made for it, plays, and stays in the catalog for the next text that it serves."),
    h("ul", { class: "examples", role: "list" }, EXAMPLES.map(example)),
    h("div", { class: "empty-actions" }, h("a", { class: "button", href: "#/compose" }, "Write your own")),
  ];
}

function example([name, text]) {
  const place = h("div", { class: "example-make" });
  const make = button("Make music", () => start(text, place, make), { class: "button primary", icon: "spark", "aria-label": `Make music: ${name}` });
  fill(place, make);
  return h("li", { class: "card example" }, h("h3", {}, name), h("p", {}, text), place);
}

async function start(text, place, make) {
  make.disabled = true;
  try {
    const { status, data } = await post("/find-or-make", { context: text });
    if (status !== 202) return player.play(data.result.track, { queue: null });
    fill(place, jobCard(data.job));
    const changed = ({ detail }) => {
      if (detail.id !== data.job.id || !isFinal(detail)) return;
      jobs.removeEventListener("job", changed);
      if (detail.state === "done" && !player.playing) player.play(detail.result.track, { queue: null });
      else if (detail.state !== "done") fill(place, make);
    };
    jobs.addEventListener("job", changed);
    jobs.follow(data.job);
  } catch (error) {
    complain(error);
  }
  make.disabled = false;
}
