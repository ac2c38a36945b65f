// A queue that the reader has put in another order: the tracks that come next, and what comes after them as before.

/** Return the queue in which `next`, [{track, queue}], come next; after them comes what came after `last`, the queue of the last of all that were known; before them, `before`. */
export function reordered(next, last, before) {
  return from(0, next.map((one) => one.track), last, before);
}

/** `done` of the tracks have been played. */
function from(done, tracks, last, before) {
  return {
    at: async (step) => {
      const place = done + step; // 0 is the track that played when the order was changed
      if (place > tracks.length) return last ? last.at(place - tracks.length) : null;
      if (place > 0) return { track: tracks[place - 1], queue: from(place, tracks, last, before) };
      if (place === 0) return { track: before.track, queue: from(0, tracks, last, before) };
      return before.queue?.at(place) ?? null;
    },
  };
}
