// What a reader changes about tracks: rating, tags, note, trash. Listeners hear of every change.

import { get, patch, post, remove, trackPath } from "./api.js";
import { plural } from "./format.js";
import { complain, toast } from "./toast.js";

const AT_ONCE = 4;

/** Hears "edited" (detail: the track), "gone" and "back" (detail: ids) and "made" (detail: the track). */
export const edits = new EventTarget();
const say = (name, detail) => edits.dispatchEvent(new CustomEvent(name, { detail }));

export function made(track) {
  say("made", track);
}

/** Change fields of one track; returns it as it is now, or null where that failed. */
export async function change(id, fields) {
  try {
    await patch(trackPath(id), fields);
    const track = await get(trackPath(id));
    say("edited", track);
    return track;
  } catch (error) {
    complain(error);
    return null;
  }
}

export async function changeAll(tracks, fieldsOf) {
  const { done } = await each(tracks, async (track) => {
    await patch(trackPath(track.id), fieldsOf(track));
    say("edited", { ...track, ...fieldsOf(track) });
  });
  return done.length;
}

/** Move tracks to the trash, with the way back in a note. */
export async function trash(ids) {
  const { done } = await each(ids, (id) => remove(trackPath(id)));
  if (!done.length) return;
  say("gone", done);
  toast(`${plural(done.length, "track")} moved to the trash.`, { action: { label: "Undo", run: () => restore(done) } });
}

export async function restore(ids) {
  const { done } = await each(ids, (id) => post(trackPath(id, "restore")));
  if (!done.length) return;
  say("back", done);
  toast(`${plural(done.length, "track")} back in the catalog.`);
}

/** Do `work` for every item, a few at a time; what fails is told once. */
async function each(items, work) {
  const waiting = [...items];
  const done = [];
  let failure = null;
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        await work(item);
        done.push(item);
      } catch (error) {
        failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failure) complain(failure);
  return { done };
}
