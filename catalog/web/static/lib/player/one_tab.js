// One tab plays at a time: the one that starts tells the others, which pause.

import { player } from "./player.js";

export function playInOneTab() {
  const channel = new BroadcastChannel("music-catalog-player");
  let played = false;
  player.addEventListener("change", () => {
    if (player.playing && !played) channel.postMessage("started");
    played = player.playing;
  });
  channel.addEventListener("message", () => player.pause());
}
