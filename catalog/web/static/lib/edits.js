// Changes that a reader makes to tracks: rating, tags, note, trash. `edits` reports every one.

import { get, patch, post, remove, trackPath } from "./api.js";
import { plural } from "./format.js";
import { complain, toast } from "./toast.js";

const AT_ONCE = 4;

/** Dispatches "edited" (detail: the track), "gone" and "back" (detail: ids) and "made" (detail: the track). */
export const edits = new EventTarget();
const report = (name, detail) => edits.dispatchEvent(new CustomEvent(name, { detail }));

/** Report a new track. */
export function made(track) {
  report("made", track);
}

/** Change fields of one track; returns the changed track, or null when that failed. */
export async function change(id, fields) {
  try {
    await patch(trackPath(id), fields);
    const track = await get(trackPath(id));
    report("edited", track);
    return track;
  } catch (error) {
    complain(error);
    return null;
  }
}

/** Change the fields `fieldsOf(track)` of every track; returns how many were changed. */
export async function changeAll(tracks, fieldsOf) {
  const done = await each(tracks, async (track) => {
    await patch(trackPath(track.id), fieldsOf(track));
    report("edited", { ...track, ...fieldsOf(track) });
  });
  return done.length;
}

/** Move tracks to the trash, and show a note that can undo it. */
export async function trash(ids) {
  const done = await each(ids, (id) => remove(trackPath(id)));
  if (!done.length) return;
  report("gone", done);
  toast(`${plural(done.length, "track")} moved to the trash.`, { action: { label: "Undo", run: () => restore(done) } });
}

/** Take tracks out of the trash. */
export async function restore(ids) {
  const done = await each(ids, (id) => post(trackPath(id, "restore")));
  if (!done.length) return;
  report("back", done);
  toast(`${plural(done.length, "track")} back in the catalog.`);
}

/** Do `work` for every item, a few at a time; returns the items that are done. Of several failures one is shown. */
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
  return done;
}
