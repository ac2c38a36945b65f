// Everything about one track: how it sounds, what is near it, how it was made, and what can be done with it.

import { get, post, trackPath, trackUrl } from "../lib/api.js";
import { announce, button, fill, h, icon, iconButton, setIcon } from "../lib/dom.js";
import { change as edit, edits, restore, trash } from "../lib/edits.js";
import { bytes, clock, name, number, score, span, title, value, when } from "../lib/format.js";
import { jobs } from "../lib/jobs.js";
import { player } from "../lib/player.js";
import { address, change, here } from "../lib/route.js";
import { complain, toast } from "../lib/toast.js";
import { Wave } from "../parts/wave.js";

export function detailPanel() {
  const element = document.getElementById("detail");
  let track = null;
  let cameFrom = null;
  let wave = null;
  let unwatch = () => {};

  async function show({ params }) {
    const id = params.get("track");
    if (!id) return hide();
    if (track?.id === id) return;
    if (element.hidden) cameFrom = document.activeElement;
    try {
      const told = await get(trackPath(id));
      if (here().params.get("track") === id) draw(told);
    } catch (error) {
      complain(error);
      change({ track: null }, { replace: true });
    }
  }

  function hide() {
    if (element.hidden) return;
    unwatch();
    wave?.close();
    track = null;
    element.hidden = true;
    document.body.classList.remove("has-detail");
    if (cameFrom?.isConnected) cameFrom.focus({ preventScroll: true });
    cameFrom = null;
  }

  function draw(told) {
    const fresh = track?.id !== told.id;
    unwatch();
    wave?.close();
    track = told;
    wave = new Wave({ onSeek: (one, fraction) => player.play(one, { queue: null, fraction }) });
    const play = h("button", { type: "button", class: "play-button large", onclick: () => player.toggle(track, { queue: null }) }, icon("play"));
    const playing = () => {
      const on = player.isCurrent(track) && player.playing;
      setIcon(play, on ? "pause" : "play");
      play.setAttribute("aria-label", on ? "Pause" : "Play");
    };
    player.addEventListener("change", playing);
    unwatch = () => player.removeEventListener("change", playing);
    playing();

    const heading = h("h2", { class: "detail-title", tabindex: "-1", id: "detail-title" }, title(track));
    fill(
      element,
      h("div", { class: "detail-bar" }, h("span", { class: "badge" }, icon("spark"), track.ai_generated ? "AI-generated" : "Recorded"), track.state === "trashed" && h("span", { class: "badge" }, "In the trash"), h("div", { class: "grow" }), iconButton("close", "Close the details", close)),
      h(
        "div",
        { class: "detail-body" },
        heading,
        h("p", { class: "muted" }, [name(track.style), name(track.role), track.quality].join(" · ")),
        h("div", { class: "detail-wave" }, play, wave.canvas),
        rating(),
        facts(),
        actions(),
        similar(),
        spectrogram(),
        labels(),
        provenance(),
      ),
    );
    element.hidden = false;
    document.body.classList.add("has-detail");
    wave.show(track);
    if (fresh) {
      element.querySelector(".detail-body").scrollTop = 0;
      if (cameFrom && cameFrom !== document.body) heading.focus({ preventScroll: true });
    }
  }

  function close() {
    change({ track: null });
  }

  function rating() {
    const choose = (n) => edit(track.id, { rating: n });
    return h(
      "fieldset",
      { class: "rating" },
      h("legend", { class: "sr" }, "Rating"),
      [1, 2, 3, 4, 5].map((n) =>
        h(
          "label",
          { class: `star${track.rating >= n ? " is-on" : ""}` },
          h("input", { type: "radio", name: "rating", value: String(n), checked: track.rating === n, "aria-label": `${n} of 5`, onchange: () => choose(n) }),
          h("span", { "aria-hidden": "true" }, track.rating >= n ? "★" : "☆"),
        ),
      ),
      h("span", { class: "muted" }, track.rating ? `${track.rating} of 5` : "Not rated"),
    );
  }

  function facts() {
    const told = [
      ["Length", clock(track.duration_s)],
      ["Tempo", track.tempo_bpm ? `${number(track.tempo_bpm)} bpm` : "no pulse"],
      ["Key", track.musical_key ?? "–"],
      ["Loudness", track.loudness_lufs === null ? "silent" : `${number(track.loudness_lufs, 1)} LUFS`],
      ["Loop", track.loopable ? "seamless" : "no"],
      ["Mood", track.mood_tags.join(", ") || "–"],
      ["Place", [name(track.environment), track.time_of_day].filter(Boolean).join(", ") || "–"],
      ["File", `${number(track.sample_rate / 1000, 1)} kHz, ${track.channels === 2 ? "stereo" : "mono"}, ${bytes(track.audio_bytes)}`],
    ];
    return h("dl", { class: "facts" }, told.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));
  }

  function actions() {
    if (track.state === "trashed") return h("div", { class: "actions" }, button("Restore", () => restore([track.id]), { class: "button primary", icon: "restore" }));
    const again = async (variation) => {
      try {
        const { data } = await post(trackPath(track.id, "again"), { variation });
        jobs.follow(data.job);
        toast(variation ? "Making a variation: the same request with another seed." : "Making it again: the same request with the same seed.");
      } catch (error) {
        complain(error);
      }
    };
    const download = (format) => h("a", { class: "button small", href: trackUrl(track.id, "audio", { download: 1, format }), download: "" }, icon("download"), h("span", {}, format.toUpperCase()), h("span", { class: "sr" }, " download"));
    return h(
      "div",
      { class: "actions" },
      button("Make a variation", () => again(true), { icon: "variation" }),
      button("Make it again", () => again(false), { icon: "again" }),
      h("div", { class: "downloads", role: "group", "aria-label": "Download" }, ["wav", "flac", "ogg"].map(download)),
      button("Trash", () => trash([track.id]), { icon: "trash" }),
    );
  }

  function similar() {
    const list = h("ul", { class: "mini-list", role: "list" });
    const way = (by, text) => h("button", { type: "button", "aria-pressed": "false", data: { by }, onclick: () => load(by) }, text);
    const ways = h("div", { class: "segmented", role: "group", "aria-label": "Similar by" }, way("text", "Text"), way("sound", "Sound"));
    let asked; // the answer to an earlier click must not come after
    async function load(by) {
      const mine = (asked = {});
      for (const one of ways.children) one.setAttribute("aria-pressed", String(one.dataset.by === by));
      list.setAttribute("aria-busy", "true");
      try {
        const told = await get(trackPath(track.id, "similar"), { by, limit: 6 });
        if (mine !== asked) return;
        const found = told.tracks;
        fill(list, found.length ? found.map((one) => miniRow(one, found)) : h("li", { class: "muted" }, told.note || (by === "sound" ? "No other track has been compared by sound yet; `catalog doctor --fix` takes in earlier ones." : "Nothing else is in the catalog yet.")));
      } catch (error) {
        if (mine !== asked) return;
        fill(list, h("li", { class: "muted" }, error.message));
      }
      list.removeAttribute("aria-busy");
    }
    load("text");
    return section("Similar tracks", ways, list);
  }

  function spectrogram() {
    const picture = h("img", { class: "spectrogram", alt: `Spectrogram of ${title(track)}: time from left to right, frequency from low to high`, loading: "lazy" });
    const place = h("details", { class: "fold" }, h("summary", {}, "Spectrogram"), picture);
    place.addEventListener("toggle", () => {
      if (place.open && !picture.src) picture.src = trackUrl(track.id, "spectrogram.png");
    });
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      player.play(track, { queue: null, fraction: (event.clientX - box.left) / box.width });
    });
    return place;
  }

  function labels() {
    const tags = track.tags ?? [];
    const input = h("input", { class: "input", placeholder: "Add a tag", "aria-label": "Add a tag", maxlength: "60" });
    const set = (next) => edit(track.id, { tags: next });
    const note = h("textarea", { class: "input", rows: "2", placeholder: "Note to yourself", "aria-label": "Note", value: track.note ?? "", onchange: () => edit(track.id, { note: note.value }) });
    return section(
      "Your labels",
      null,
      h(
        "div",
        { class: "chips" },
        tags.map((tag) => h("span", { class: "chip" }, `#${tag}`, iconButton("close", `Remove the tag ${tag}`, () => set(tags.filter((one) => one !== tag))))),
        h("form", { onsubmit: (event) => (event.preventDefault(), input.value.trim() && set([...new Set([...tags, input.value.trim()])])) }, input),
      ),
      note,
    );
  }

  function provenance() {
    const rows = [
      ["Model", track.model],
      ["Weights' licence", track.weights_license],
      ["Made by", track.backend],
      ["Seed", track.seed],
      ["Made", `${when(track.created_at)}, in ${span(track.generation_s)}`],
      ["Query", track.query],
      ["Variation of", track.variant_of && h("a", { href: address(here().view, new URLSearchParams({ track: track.variant_of })) }, track.variant_of)],
      ["Id", track.id],
    ].filter(([, text]) => text !== "" && text !== null && text !== undefined);
    const settings = Object.entries(track.config ?? {}).sort(([a], [b]) => a.localeCompare(b));
    return section(
      "How it was made",
      null,
      quote("Prompt", track.prompt),
      track.context && quote("Context", track.context),
      h("dl", { class: "facts" }, rows.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text instanceof Node ? text : String(text))))),
      settings.length > 0 &&
        h(
          "details",
          { class: "fold" },
          h("summary", {}, `Configuration, ${settings.length} values`),
          h(
            "div",
            { class: "table-area", tabindex: "0", role: "region", "aria-label": "Configuration" },
            h(
              "table",
              { class: "config" },
              h("thead", {}, h("tr", {}, ["Setting", "Value", "Source"].map((text) => h("th", { scope: "col" }, text)))),
              h("tbody", {}, settings.map(([key, setting]) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, value(setting)), h("td", {}, track.config_sources?.[key] ?? "")))),
            ),
          ),
        ),
      track.versions && h("details", { class: "fold" }, h("summary", {}, "Versions"), h("dl", { class: "facts" }, Object.entries(track.versions).map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))))),
    );
  }

  edits.addEventListener("edited", ({ detail }) => {
    if (track?.id !== detail.id) return;
    const { scrollTop } = element.querySelector(".detail-body");
    const focused = document.activeElement?.getAttribute?.("aria-label");
    draw({ ...track, ...detail });
    element.querySelector(".detail-body").scrollTop = scrollTop;
    if (focused) [...element.querySelectorAll("[aria-label]")].find((one) => one.getAttribute("aria-label") === focused)?.focus({ preventScroll: true });
  });
  for (const event of ["gone", "back"]) {
    edits.addEventListener(event, ({ detail }) => {
      if (track && detail.includes(track.id)) close();
    });
  }

  return { show, close, get open() { return !element.hidden; } };
}

/** A track on one line, with how near it is. */
export function miniRow(track, among) {
  const at = among.indexOf(track);
  const queueFrom = (index) => ({ at: async (step) => (among[index + step] ? { track: among[index + step], queue: queueFrom(index + step) } : null) });
  const params = new URLSearchParams(here().params);
  params.set("track", track.id);
  const near = track.score ?? track.similarity;
  return h(
    "li",
    { class: "mini" },
    playButton(track, () => queueFrom(at)),
    h("div", { class: "mini-text" }, h("a", { class: "mini-title", href: address(here().view, params) }, title(track)), h("span", { class: "muted mini-style" }, name(track.style))),
    near !== undefined && near !== null && h("span", { class: "mini-score", title: "How near it is" }, score(near)),
  );
}

/** A small button that plays `track` and shows whether it does. */
export function playButton(track, queue = () => null) {
  const element = h("button", { type: "button", class: "play-button small", onclick: () => player.toggle(track, { queue: queue() }) }, icon("play"));
  const playing = () => {
    if (!element.isConnected && element.dataset.seen) return player.removeEventListener("change", playing);
    if (element.isConnected) element.dataset.seen = "1";
    const on = player.isCurrent(track) && player.playing;
    setIcon(element, on ? "pause" : "play");
    element.setAttribute("aria-label", `${on ? "Pause" : "Play"} ${title(track)}`);
  };
  player.addEventListener("change", playing);
  playing();
  return element;
}

function section(heading, tools, ...children) {
  return h("section", { class: "detail-section" }, h("div", { class: "section-head" }, h("h3", {}, heading), tools), ...children);
}

/** A text that may be long, with a way to copy it. */
function quote(heading, text) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      announce(`${heading} copied`);
      toast(`${heading} copied.`, { stay_ms: 2500 });
    } catch {
      toast("The browser does not let the page copy; select the text instead.");
    }
  };
  return h("div", { class: "quote" }, h("div", { class: "quote-head" }, h("h4", {}, heading), iconButton("copy", `Copy the ${heading.toLowerCase()}`, copy)), h("p", { class: text.length > 600 ? "long" : "", ...(text.length > 600 ? { tabindex: "0" } : {}) }, text));
}
