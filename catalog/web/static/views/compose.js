// Paste a context; see what was read in it, what fits and why other tracks do not; have one made.

import { get, post, trackPath } from "../lib/api.js";
import { announce, button, debounced, fill, h, icon } from "../lib/dom.js";
import { name, percent, plural, score, title } from "../lib/format.js";
import { jobCard, jobs } from "../lib/jobs.js";
import { playButton } from "./detail.js";
import { plainWords } from "../lib/language.js";
import { address, here } from "../lib/route.js";
import { complain, toast } from "../lib/toast.js";

const PAUSE_MS = 700;
const SHOWN = 5; // candidates before a click shows the rest
const RULED_OUT = 4;
const QUALITIES = ["preview", "standard", "final"];
const EXAMPLES = [
  ["A quiet answer", "Lighthouses warn ships with light, and in fog with sound: a horn that answers itself across grey water."],
  ["A scene", "Rain on the tavern roof. The last guests talk in low voices while the fire burns down."],
  ["A battle", "The gate splinters. Riders pour through the smoke and the whole line breaks into a furious charge."],
];
const SOURCES = { caller: "you said so", text: "read in the text", encoder: "from its meaning", default: "nothing points elsewhere" };
const PLACES = ["forest", "rain", "ocean", "city", "night", "cave", "desert", "tavern", "storm", "snow", "space", "fireside"];
const TIMES = ["dawn", "morning", "day", "dusk", "evening", "night"];
const SVG = "http://www.w3.org/2000/svg";

export function composeView() {
  let asking = null;
  let shownFor = "";
  let presets = null;

  const text = h("textarea", {
    id: "context",
    class: "context",
    rows: "7",
    placeholder: "Paste what your application just said: an answer, a chunk, a scene.",
    "aria-describedby": "context-hint",
    oninput: () => soon(),
    onpaste: () => setTimeout(() => (soon.cancel(), look()), 0),
    onkeydown: (event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && make("auto"),
  });
  const soon = debounced(() => look(), PAUSE_MS);
  const controls = {};
  const field = (key, labelText, control) => {
    controls[key] = control;
    control.addEventListener("change", () => look());
    return h("label", { class: "field" }, h("span", {}, labelText), control);
  };
  const choice = (values, any) => h("select", { class: "select" }, [["", any], ...values].map((one) => (Array.isArray(one) ? h("option", { value: one[0] }, one[1]) : h("option", { value: one }, name(one)))));
  const numeric = (props) => h("input", { class: "input", type: "number", inputmode: "decimal", placeholder: "auto", ...props });

  const overrides = h(
    "details",
    { class: "fold overrides" },
    h("summary", {}, "Say what you know, override anything"),
    h(
      "div",
      { class: "fields" },
      field("preset", "Style", choice([], "Choose for me")),
      field("role", "Role", choice([], "Choose for me")),
      field("quality", "Quality", choice(["preview", "standard", "final"], "Choose for me")),
      field("duration_s", "Length, seconds", numeric({ min: "0.5", max: "600", step: "any" })),
      field("loopable", "Loop", choice([["true", "Seamless loop"], ["false", "No loop"]], "Either")),
      field("seed", "Seed", numeric({ min: "0", max: "4294967295", step: "1" })),
      field("environment", "Place", choice(PLACES, "Read it in the text")),
      field("time_of_day", "Time of day", choice(TIMES, "Read it in the text")),
      field("mood_tags", "Moods", h("input", { class: "input", placeholder: "calm, hopeful" })),
      field("query", "Question it answers", h("input", { class: "input", placeholder: "optional" })),
      field("backend", "Made by", choice(["procedural", ["mlx", "MusicGen (MLX)"]], "Best that is here")),
      field("min_similarity", "Score needed", numeric({ min: "-1", max: "1", step: "0.01", placeholder: "as certified" })),
    ),
  );
  const makeButton = h("button", { type: "button", class: "button primary", onclick: () => make("auto") }, icon("spark"), h("span", {}, "Find or make"));
  const newButton = button("Always make new", () => make("never"));
  const problem = h("p", { class: "field-problem", role: "alert" });
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const reading = h("div", { class: "reading" });

  const element = h(
    "div",
    { class: "view compose" },
    h(
      "div",
      { class: "page" },
      h("header", { class: "page-head" }, h("h1", {}, "Compose"), h("p", { class: "muted" }, "A track that fits is reused; only a real miss is made.")),
      h(
        "div",
        { class: "compose-grid" },
        h(
          "div",
          { class: "compose-ask" },
          h("label", { class: "sr", for: "context" }, "Context"),
          text,
          h("p", { class: "muted hint", id: "context-hint" }, "Try ", EXAMPLES.map(([labelText, example], at) => [at ? ", " : "", h("button", { type: "button", class: "link", onclick: () => ((text.value = example), look(), text.focus()) }, labelText.toLowerCase())])),
          problem,
          overrides,
          h("div", { class: "actions" }, makeButton, newButton),
          outcome,
        ),
        reading,
      ),
    ),
  );
  fill(reading, intro());

  function intro() {
    return h(
      "div",
      { class: "intro" },
      h("h2", {}, "What you will see here"),
      h(
        "ol",
        {},
        h("li", {}, "What was read in the text: topic, mood, place, time."),
        h("li", {}, "The style, role and quality that follow, each with its reason."),
        h("li", {}, "The nearest tracks with their scores, and why each is or is not reused."),
      ),
    );
  }

  /** The request as the API takes it. */
  function asked() {
    const given = Object.fromEntries(Object.entries(controls).map(([key, control]) => [key, control.value.trim()]).filter(([, value]) => value !== ""));
    const known = { text: text.value };
    for (const key of ["environment", "time_of_day", "query"]) if (given[key]) known[key] = given[key];
    if (given.mood_tags) known.mood_tags = given.mood_tags.split(",").map((tag) => tag.trim()).filter(Boolean);
    const body = { context: Object.keys(known).length > 1 ? known : text.value };
    for (const key of ["preset", "role", "quality", "backend"]) if (given[key]) body[key] = given[key];
    for (const key of ["duration_s", "seed", "min_similarity"]) if (given[key]) body[key] = Number(given[key]);
    if (given.loopable) body.loopable = given.loopable === "true";
    return body;
  }

  /** Ask what would happen, without making anything. */
  async function look() {
    soon.cancel();
    asking?.abort();
    if (!text.value.trim()) {
      shownFor = "";
      fill(reading, intro());
      return;
    }
    const body = asked();
    if (JSON.stringify(body) === shownFor) return;
    const mine = (asking = new AbortController());
    reading.setAttribute("aria-busy", "true");
    try {
      const result = await decided(body, mine.signal);
      if (mine !== asking) return;
      shownFor = JSON.stringify(body);
      problem.textContent = "";
      explain(result);
    } catch (error) {
      if (error.name !== "AbortError") problem.textContent = error.message;
    }
    if (mine === asking) reading.removeAttribute("aria-busy");
  }

  /** Return what the service would do. A repeat is not read again, so it is asked once more as if it were none. */
  async function decided(body, signal) {
    const { result } = (await post("/find", { ...body, log: false }, signal)).data;
    if (result.decision.rule !== "exact") return result;
    const fresh = (await post("/find", { ...body, reuse: "never", log: false }, signal)).data.result;
    const { action, rule, reason, track_id } = result.decision;
    return { ...result, request: fresh.request, decision: { ...fresh.decision, action, rule, reason, track_id } };
  }

  async function make(reuse) {
    soon.cancel();
    look();
    if (!text.value.trim()) {
      problem.textContent = "Paste or write a context first.";
      text.focus();
      return;
    }
    problem.textContent = "";
    makeButton.disabled = newButton.disabled = true;
    try {
      const { status, data } = await post("/find-or-make", { ...asked(), reuse });
      if (status === 202) follow(data.job);
      else served(data.result, "Reused");
    } catch (error) {
      problem.textContent = error.retryAfter_s ? `${error.message} Try again in ${error.retryAfter_s} s.` : error.message;
    }
    makeButton.disabled = newButton.disabled = false;
  }

  function follow(job) {
    const card = jobCard(job.id);
    fill(outcome, card);
    const watch = ({ detail }) => {
      if (detail?.id !== job.id) return;
      if (detail.state === "done" && detail.result && outcome.contains(card)) served(detail.result, "Made");
      if (["done", "failed", "cancelled"].includes(detail.state)) jobs.removeEventListener("job", watch);
    };
    jobs.addEventListener("job", watch);
    jobs.follow(job);
  }

  function served(result, word) {
    const { track } = result;
    if (!track) return;
    fill(
      outcome,
      h(
        "div",
        { class: "served" },
        playButton(track),
        h("div", { class: "served-text" }, h("p", { class: "served-title" }, h("strong", {}, result.action === "reused" ? "Reused: " : `${word}: `), h("a", { href: address("compose", new URLSearchParams({ track: track.id })) }, title(track))), h("p", { class: "muted" }, result.reason)),
        result.action === "reused" && button("Does not fit", () => reject(result), { class: "button small" }),
      ),
      result.warnings?.map((warning) => h("p", { class: "warning" }, icon("warning"), warning)),
    );
    announce(`${result.action === "reused" ? "Reused" : word}: ${title(track)}`);
  }

  /** Keep a track from this request and near ones; the track itself stays. */
  async function reject({ track, request_id }, undo = false) {
    try {
      await post(trackPath(track.id, "reject"), { request_id, undo });
    } catch (error) {
      return complain(error);
    }
    if (undo) return toast("It may be served again.");
    fill(outcome);
    toast("It is not served for this or the like again.", { action: { label: "Undo", run: () => reject({ track, request_id }, true).then(relook) } });
    relook();
  }

  function relook() {
    shownFor = "";
    look();
  }

  function explain(result) {
    const { request, decision } = result;
    const others = h("div", { class: "others" });
    fill(reading, verdict(result), candidates(decision, request, others), understood(request.features), chosen(request));
    suggest(request);
    if (decision.filter) ruledOut(decision, request).then((found) => fill(others, found), () => {});
  }

  /** Offer other styles, from what served requests like this one well. */
  async function suggest(request) {
    const place = reading.querySelector(".other-styles");
    try {
      const { suggestions } = await get("/presets/suggest", { q: request.features.summary_of_topic.slice(0, 1000), limit: 5 });
      const others = suggestions.filter((one) => one.name !== request.style).slice(0, 4);
      const take = (style) => {
        controls.preset.value = style;
        overrides.open = true;
        look();
      };
      fill(place, others.length > 0 && h("span", { class: "muted small" }, "Or take"), others.map((one) => h("button", { type: "button", class: "chip", title: one.reason ?? null, onclick: () => take(one.name) }, name(one.name))));
    } catch {
      place.remove(); // nobody asked for it, so nobody misses it
    }
  }

  loadPresets();
  async function loadPresets() {
    try {
      presets = await get("/presets");
    } catch (error) {
      return complain(error);
    }
    for (const [key, section] of [["preset", "presets"], ["role", "roles"]]) {
      const found = presets.presets.filter((one) => one.section === section);
      controls[key].append(...found.map((one) => h("option", { value: one.name, title: one.description }, name(one.name))));
    }
  }

  return {
    element,
    title: "Compose",
    show({ params }) {
      const given = params.get("text");
      if (given && given !== text.value && document.activeElement !== text) {
        text.value = given;
        look();
      }
    },
    focusSearch: () => text.focus(),
  };
}

// What was decided, and why

function verdict({ decision, request, track }) {
  const reuse = decision.action === "reuse";
  const best = decision.candidates.find((one) => one.track_id === decision.track_id) ?? track;
  return h(
    "section",
    { class: `verdict ${reuse ? "is-reuse" : "is-make"}` },
    h("div", { class: "verdict-head" }, icon(reuse ? "check" : "plus"), h("h2", {}, reuse ? "A track fits and is reused" : `A new track is made: ${name(request.style)}`)),
    reuse && best && h("p", { class: "verdict-track" }, playButton({ id: decision.track_id, summary: best.summary, style: best.style }), trackLink(decision.track_id, best.summary)),
    h("p", {}, sentence(decision.reason)),
  );
}

function candidates(decision, request, others) {
  const found = decision.candidates;
  const ruled = Object.entries(decision.rejected_by ?? {}).filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a);
  const heading = h("div", { class: "section-head" }, h("h3", {}, "Nearest tracks"), found.length > 0 && h("p", { class: "muted" }, plural(decision.considered, "track") + " in the catalog"));
  const list = h("ol", { class: "candidates", role: "list" });
  const more = h("button", { type: "button", class: "link", onclick: () => (fill(list, found.map((one) => candidate(one, decision))), more.remove()) }, `Show all ${found.length}`);
  fill(list, found.slice(0, SHOWN).map((one) => candidate(one, decision)));
  return h(
    "section",
    { class: "card" },
    heading,
    decision.rule === "exact" && h("p", { class: "muted small" }, "A repeat is served as before, without comparing. This is how the others lie to it."),
    found.length ? list : h("p", {}, `None of ${plural(decision.considered, "track")} meets the hard facts.`),
    found.length > SHOWN && more,
    h("p", { class: "muted small facts-line" }, `Hard facts, which no score makes up for: ${hardFacts(decision, request)}.`),
    ruled.length > 0 && h("p", { class: "muted small" }, `Tracks that each rules out: ${ruled.map(([fact, count]) => `${factName(fact)} ${count}`).join(", ")}.`),
    others,
  );
}

const factName = (fact) => ({ min_quality: "quality", min_model_rank: "model", min_duration_s: "too short", max_duration_s: "too long", loopable: "loop" })[fact] ?? fact.replaceAll("_", " ");

/** Look for tracks that are near in meaning but meet not every hard fact, and say which. */
async function ruledOut(decision, request) {
  const { tracks } = await get("/tracks", { q: plainWords(request.features.summary_of_topic), by: "meaning", limit: 12 });
  const candidates_ = new Set(decision.candidates.map((one) => one.track_id));
  const found = tracks
    .filter((track) => !candidates_.has(track.id))
    .map((track) => ({ track, why: missed(track, decision.filter) }))
    .filter(({ why }) => why.length)
    .slice(0, RULED_OUT);
  if (!found.length) return null;
  return [
    h("h4", {}, "Near in meaning, but ruled out"),
    h("ul", { role: "list" }, found.map(({ track, why }) => h("li", { class: "candidate is-ruled" }, playButton(track), h("div", { class: "candidate-body" }, h("p", { class: "candidate-title" }, trackLink(track.id, title(track)), h("span", { class: "muted" }, name(track.style))), h("p", { class: "candidate-word" }, icon("refuse"), h("span", {}, why.join("; "))))))),
  ];
}

/** Say which facts of a filter a track does not meet. */
function missed(track, filter) {
  const why = [];
  const other = (key, what) => filter[key] !== null && filter[key] !== undefined && track[key] !== filter[key] && why.push(`${what} ${name(track[key]) || "not known"}, ${name(filter[key]).toLowerCase()} wanted`);
  other("role", "Role");
  other("style", "Style");
  other("environment", "Place");
  other("time_of_day", "Time");
  if (filter.min_duration_s !== null && track.duration_s < filter.min_duration_s) why.push(`Too short: ${track.duration_s.toFixed(1)} s, at least ${filter.min_duration_s.toFixed(1)} s needed`);
  if (filter.max_duration_s !== null && track.duration_s > filter.max_duration_s) why.push(`Too long: ${track.duration_s.toFixed(1)} s, at most ${filter.max_duration_s.toFixed(1)} s`);
  if (filter.min_quality && QUALITIES.indexOf(track.quality) < QUALITIES.indexOf(filter.min_quality)) why.push(`Only ${track.quality} quality, ${filter.min_quality} needed`);
  if (filter.min_model_rank !== null && track.model_rank < filter.min_model_rank) why.push(`Made by a lesser model, ${track.model}`);
  if (filter.loopable !== null && track.loopable !== filter.loopable) why.push(filter.loopable ? "Does not loop" : "It is a loop");
  if (filter.backend && track.backend !== filter.backend) why.push(`Made by ${track.backend}`);
  return why;
}

/** A candidate is held against its probability where a certificate decides, else against its score. */
const isByProbability = (one, decision) => Boolean(decision.certificate) && one.probability !== null;

function stateOf(one, decision, lacks) {
  if (one.track_id === decision.track_id) return ["chosen", "check", "Reused"];
  if (one.refused) return ["refused", "refuse", "Refused: the mood differs too much"];
  if (one.admissible) return ["also", "check", "Would do; another is nearer"];
  if (decision.rule === "uncertified" || decision.threshold >= 1) return ["below", "below", "Not reused: no threshold is certified"];
  return ["below", "below", lacks];
}

function candidate(one, decision) {
  const needed = decision.threshold;
  const likely = isByProbability(one, decision);
  const have = likely ? one.probability : one.score;
  const lacks = likely ? "Not likely enough to fit" : `Not near enough: ${score(needed - have)} short`;
  const [state, picture, word] = stateOf(one, decision, lacks);
  const open = decision.rule === "uncertified" || needed >= 1;
  const told = likely && open ? percent(have) : likely ? `${percent(have)}, ${percent(needed)} needed` : open ? score(have) : `${score(have)} of ${score(needed)}`;
  const meter = document.createElementNS(SVG, "svg");
  meter.setAttribute("class", "meter");
  meter.setAttribute("aria-hidden", "true");
  const bar = (cls, x, y, width, height) => {
    const rect = document.createElementNS(SVG, "rect");
    for (const [key, value] of Object.entries({ class: cls, x, y, width, height })) rect.setAttribute(key, value);
    meter.append(rect);
  };
  bar("meter-rest", "0", "4", "100%", "6");
  bar("meter-have", "0", "4", `${Math.max(0, Math.min(1, have)) * 100}%`, "6");
  if (needed > 0 && needed < 1) bar("meter-need", `${needed * 100}%`, "0", "2", "14");
  return h(
    "li",
    { class: `candidate is-${state}` },
    playButton({ id: one.track_id, summary: one.summary, style: one.style }),
    h(
      "div",
      { class: "candidate-body" },
      h("p", { class: "candidate-title" }, trackLink(one.track_id, one.summary), h("span", { class: "muted" }, name(one.style))),
      h("div", { class: "candidate-score" }, meter, h("span", { class: "numbers" }, told)),
      h("p", { class: "candidate-word" }, icon(picture), word),
      h("p", { class: "muted small" }, likely ? `${score(one.similarity)} alike in meaning, mood distance ${score(one.mood_distance)}.` : `${score(one.similarity)} alike in meaning, less ${score(one.similarity - one.score)} for mood (distance ${score(one.mood_distance)}), place and time: ${score(one.score)}.`),
      one.against.length > 0 && h("p", { class: "muted small" }, `${sentence(one.against.join("; "))}`),
    ),
  );
}

function hardFacts(decision, request) {
  const facts = Object.entries(decision.filter ?? {}).filter(([key, value]) => key !== "state" && value !== null && !(Array.isArray(value) && !value.length) && !(key === "min_model_rank" && value === 0));
  const said = facts.map(([key, value]) => {
    if (key === "min_duration_s") return `at least ${value.toFixed(1)} s`;
    if (key === "max_duration_s") return `at most ${value.toFixed(1)} s`;
    if (key === "min_quality") return `${value} quality or better`;
    if (key === "loopable") return value ? "a loop" : "no loop";
    return `${key.replaceAll("_", " ").replace(/^min /, "at least ")} ${typeof value === "string" ? name(value).toLowerCase() : value}`;
  });
  return said.join(", ") || `role ${name(request.role).toLowerCase()}`;
}

// What was understood

function understood(features) {
  const sure = (key) => (features.sources?.[key] !== "caller" && features.confidences?.[key] !== undefined ? `${percent(features.confidences[key])} sure` : null);
  const from = (key) => [SOURCES[features.sources?.[key]], sure(key)].filter(Boolean).join(", ");
  const row = (term, key, told) => h("div", {}, h("dt", {}, term), h("dd", {}, told), h("dd", { class: "muted source" }, from(key)));
  return h(
    "section",
    { class: "card" },
    h("div", { class: "section-head" }, h("h3", {}, "Read in the text")),
    h(
      "div",
      { class: "understood" },
      h(
        "dl",
        { class: "read-facts" },
        row("Topic", "summary_of_topic", features.summary_of_topic),
        row("Feeling", "emotional_tone_description", features.emotional_tone_description),
        row("Moods", "mood_tags", features.mood_tags.join(", ") || "none"),
        row("Place", "environment", features.environment ?? "not said"),
        row("Time", "time_of_day", features.time_of_day ?? "not said"),
        row("Language", "language", features.language),
      ),
      plane(features),
    ),
  );
}

/** Where the text lies between sad and happy, still and wild. */
function plane({ valence, energy }) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 120 120", class: "plane", role: "img", "aria-label": `Valence ${valence.toFixed(2)}, energy ${energy.toFixed(2)}, each from −1 to 1` })) svg.setAttribute(key, value);
  const add = (tag, attributes, content) => {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (content) node.textContent = content;
    svg.append(node);
  };
  add("rect", { x: 0.5, y: 0.5, width: 119, height: 119, rx: 8, class: "plane-area" });
  add("path", { d: "M60 8V112M8 60H112", class: "plane-axis" });
  add("text", { x: 60, y: 17, class: "plane-word", "text-anchor": "middle" }, "wild");
  add("text", { x: 60, y: 112, class: "plane-word", "text-anchor": "middle" }, "still");
  add("text", { x: 7, y: 57, class: "plane-word" }, "sad");
  add("text", { x: 113, y: 57, class: "plane-word", "text-anchor": "end" }, "happy");
  add("circle", { cx: 60 + 48 * valence, cy: 60 - 48 * energy, r: 5, class: "plane-dot" });
  return h("figure", { class: "plane-figure" }, svg, h("figcaption", { class: "muted small" }, `valence ${score(valence)}`, h("br"), `energy ${score(energy)}`));
}

function chosen(request) {
  const row = (term, value, why, ...more) => h("div", {}, h("dt", {}, term), h("dd", {}, value), h("dd", { class: "muted source" }, why ?? ""), more);
  const { config } = request;
  return h(
    "section",
    { class: "card" },
    h("div", { class: "section-head" }, h("h3", {}, "Chosen for it")),
    h(
      "dl",
      { class: "read-facts" },
      row("Style", name(request.style), request.why.style, h("dd", { class: "chips other-styles" })),
      row("Role", name(request.role), request.why.role),
      row("Quality", name(request.quality), request.why.quality),
      row("Length", `${config.duration_s} s${config.loopable ? ", a loop" : ""}`, request.config_sources.duration_s),
      row("Made by", config.backend === "mlx" ? `MusicGen ${config.size}` : name(config.backend), request.config_sources.backend),
    ),
    h("h4", {}, "Prompt"),
    h("p", { class: "prompt" }, request.prompt),
    request.warnings.map((warning) => h("p", { class: "warning" }, icon("warning"), warning)),
    h(
      "details",
      { class: "fold" },
      h("summary", {}, `Configuration, ${Object.keys(config).length} values`),
      h("div", { class: "table-area", tabindex: "0", role: "region", "aria-label": "Configuration" }, h("table", { class: "config" }, h("thead", {}, h("tr", {}, ["Setting", "Value", "Source"].map((one) => h("th", { scope: "col" }, one)))), h("tbody", {}, Object.keys(config).sort().map((key) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, JSON.stringify(config[key])), h("td", {}, request.config_sources[key] ?? "")))))),
    ),
  );
}

function trackLink(id, text) {
  const params = new URLSearchParams(here().params);
  params.set("track", id);
  return h("a", { href: address(here().view, params) }, text);
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
