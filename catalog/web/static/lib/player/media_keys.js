// The keys of keyboards and headphones, and the player of the lock screen, through the browser's Media Session.

import { name, title } from "../format.js";
import { player } from "./player.js";

const STEP_S = 10;

export function connectMediaKeys() {
  const session = navigator.mediaSession;
  if (!session) return;
  const actions = {
    play: () => player.playing || player.toggle(),
    pause: () => player.pause(),
    stop: () => player.pause(),
    previoustrack: () => player.step(-1),
    nexttrack: () => player.step(1),
    seekbackward: ({ seekOffset }) => player.skip(-(seekOffset || STEP_S)),
    seekforward: ({ seekOffset }) => player.skip(seekOffset || STEP_S),
    seekto: ({ seekTime }) => player.duration_s && player.seek(seekTime / player.duration_s),
  };
  for (const [action, run] of Object.entries(actions)) {
    try {
      session.setActionHandler(action, run);
    } catch {
      // A browser may not know every key.
    }
  }
  let shown = null;
  player.addEventListener("change", () => {
    const { track } = player;
    if (!track) return;
    if (shown !== track) session.metadata = about((shown = track));
    session.playbackState = player.playing ? "playing" : "paused";
    if (player.duration_s) session.setPositionState?.({ duration: player.duration_s, position: Math.min(player.time_s, player.duration_s) });
  });
}

function about(track) {
  const artwork = [{ src: new URL("static/icon.svg", document.baseURI).href, sizes: "any", type: "image/svg+xml" }];
  return new MediaMetadata({ title: title(track), artist: name(track.style), album: "Music catalog", artwork });
}
