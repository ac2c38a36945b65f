// Changes that a reader makes to tracks: rating, tags, note, trash. `edits` reports every one.

import { get, patch, post, remove, trackPath } from "./api.js";
import { plural, title } from "./format.js";
import { complain, toast } from "./toast.js";

const AT_ONCE = 4;
const MANY = 40; // changes that take a while

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

/** Change the fields `fieldsOf(track)` of every track, and show a note that says so and can undo it; `did` is its verb. */
async function changeAll(tracks, fieldsOf, did) {
  const done = await each(tracks, async (track) => {
    await patch(trackPath(track.id), fieldsOf(track));
    report("edited", { ...track, ...fieldsOf(track) });
  });
  if (!done.length) return;
  const before = (track) => Object.fromEntries(Object.keys(fieldsOf(track)).map((name) => [name, track[name] ?? null]));
  const undo = () => changeAll(done, before, "as before");
  toast(`${called(done)} ${did}.`, { slot: "change", action: did === "as before" ? null : { label: "Undo", run: undo } });
}

/** Rate tracks; null takes their ratings away. */
export const rate = (tracks, rating) => changeAll(tracks, () => ({ rating }), rating ? `rated ${rating} of 5` : "no longer rated");

/** Add a tag to tracks. */
export const tag = (tracks, word) => changeAll(tracks, (track) => ({ tags: [...new Set([...(track.tags ?? []), word])] }), `tagged #${word}`);

/** Move tracks to the trash, and show a note that can undo it. */
export async function trash(tracks) {
  const done = await each(tracks, (track) => remove(trackPath(track.id)));
  if (!done.length) return;
  report("gone", idsOf(done));
  toast(`${called(done)} moved to the trash.`, { slot: "change", action: { label: "Undo", run: () => restore(done) } });
}

/** Take tracks out of the trash. */
export async function restore(tracks) {
  const done = await each(tracks, (track) => post(trackPath(track.id, "restore")));
  if (!done.length) return;
  report("back", idsOf(done));
  toast(`${called(done)} back in the catalog.`, { slot: "change" });
}

const idsOf = (tracks) => tracks.map((track) => track.id);
const called = (tracks) => (tracks.length === 1 ? `“${title(tracks[0])}”` : plural(tracks.length, "track"));

/** Do `work` for every item, a few at a time; returns the items that are done. Of several failures one is shown. */
async function each(items, work) {
  const close = items.length > MANY ? toast(`Changing ${plural(items.length, "track")}…`, { stay_ms: 600_000 }) : null;
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
  close?.();
  if (failure) complain(failure);
  return done;
}
