"use strict";

const FADE_S = 3;
const POLL_MS = 500;
const answers = document.getElementById("answers");
const form = document.getElementById("ask");
const question = document.getElementById("question");
const trouble = document.getElementById("trouble");
const mute = document.getElementById("mute");
const volume = document.getElementById("volume");

// Sound. Each track has a gain of its own, so that one fades out while the next fades in.

let sound = null; // an AudioContext; browsers allow one only after the reader did something
let loudness = null;
let playing = null; // { source, gain, article }
let latest = null; // the article whose music is to play

function openSound() {
  if (!sound) {
    sound = new AudioContext();
    loudness = sound.createGain();
    loudness.connect(sound.destination);
    setVolume();
  }
  if (mute.getAttribute("aria-pressed") === "false") sound.resume();
}

function setVolume() {
  // People hear loudness roughly as the square root of power, so the square gives the slider an even feel.
  if (loudness) loudness.gain.value = (volume.value / 100) ** 2;
}

function fade(gain, from, to) {
  // A quarter sine: the powers of two tracks that cross add up to one.
  const steps = Array.from({ length: 64 }, (_, i) => Math.sin((Math.PI / 2) * (from + ((to - from) * i) / 63)));
  gain.gain.setValueCurveAtTime(steps, sound.currentTime, FADE_S);
}

function silence() {
  if (!playing) return;
  const { source, gain, article } = playing;
  const at = gain.gain.value;
  gain.gain.cancelScheduledValues(sound.currentTime);
  fade(gain, (Math.asin(Math.min(1, at)) * 2) / Math.PI, 0);
  source.stop(sound.currentTime + FADE_S);
  article.classList.remove("sounding");
  article.querySelector(".play").textContent = "Play";
  playing = null;
}

async function play(article, address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error("the music is no longer there; ask again");
  const buffer = await sound.decodeAudioData(await response.arrayBuffer());
  if (latest !== article) return; // the reader went on meanwhile
  silence();
  const source = new AudioBufferSourceNode(sound, { buffer, loop: true });
  const gain = new GainNode(sound, { gain: 0 });
  source.connect(gain).connect(loudness);
  source.start();
  fade(gain, 0, 1);
  playing = { source, gain, article };
  article.classList.add("sounding");
  article.querySelector(".play").textContent = "Stop";
}

mute.addEventListener("click", () => {
  const muted = mute.getAttribute("aria-pressed") === "false";
  mute.setAttribute("aria-pressed", String(muted));
  if (sound) muted ? sound.suspend() : sound.resume();
});
volume.addEventListener("input", setVolume);

// Questions and answers

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  openSound(); // here, where the reader's own click or key allows it
  trouble.textContent = "";
  const asked = question.value.trim();
  if (!asked) return;
  try {
    const said = await request("/ask", { question: asked });
    question.value = "";
    document.querySelector(".hint")?.remove();
    const article = show(asked, said.answer);
    latest = article;
    if (said.music) await follow(article, said.music);
    else silence();
  } catch (error) {
    trouble.textContent = `That did not work: ${error.message}`;
  }
});

async function request(address, body) {
  const sent = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(address, sent);
  const data = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(typeof data.detail === "string" ? data.detail : `the service said ${response.status}`);
  return data;
}

function show(asked, answer) {
  const article = document.getElementById("exchange").content.cloneNode(true).firstElementChild;
  article.querySelector("h2").textContent = asked;
  article.querySelector(".answer").textContent = answer;
  answers.append(article);
  article.scrollIntoView({ block: "nearest" });
  return article;
}

// The music of one answer: shown while it is made, played when it is there

async function follow(article, music) {
  const part = (name) => article.querySelector(name);
  part(".music").hidden = false;
  part(".status").textContent = "Music for this answer is being picked …";
  part("progress").hidden = false;
  while (music.state === "queued" || music.state === "running") {
    part("progress").value = music.progress;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    music = await request(`/music/${music.id}`);
  }
  part("progress").hidden = true;
  if (music.state !== "done") {
    part(".status").textContent = `There is no music: ${music.why ?? "it was cancelled"}`;
    return;
  }
  const moods = music.moods.length ? `, ${music.moods.join(", ")}` : "";
  const origin = music.action === "reused" ? "from the catalog" : "made for this answer";
  part(".status").textContent = `Music: ${music.title}${moods} (${origin})`;
  part(".why").textContent = `The track: ${music.why}. The style: ${music.style_why}.`;
  for (const name of ["details", ".play", ".reject"]) part(name).hidden = false;
  part(".play").setAttribute("aria-label", `Play or stop ${music.title}`);
  part(".reject").removeAttribute("aria-disabled");
  part(".play").onclick = () => toggle(article, music);
  part(".reject").onclick = () => another(article, music);
  if (latest === article) await play(article, music.audio);
}

async function toggle(article, music) {
  openSound();
  if (playing?.article === article) {
    silence();
    return;
  }
  latest = article;
  await play(article, music.audio).catch(report);
}

async function another(article, music) {
  const button = article.querySelector(".reject");
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true"); // not `disabled`, which would take the focus away
  openSound();
  latest = article;
  silence();
  try {
    await follow(article, await request(`/music/${music.id}/reject`, {}));
  } catch (error) {
    button.removeAttribute("aria-disabled");
    report(error);
  }
}

function report(error) {
  trouble.textContent = `That did not work: ${error.message}`;
}
