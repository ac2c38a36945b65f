// Changes that a reader makes to tracks: rating, tags, note, trash. `edits` reports every one.

import { get, patch, trackPath } from "./api.js";
import { plural, title } from "./format.js";
import { complain, toast } from "./toast.js";

const AT_ONCE = 500; // tracks that the service changes in one write

/** Dispatches "edited" (detail: the track), "gone" and "back" (detail: ids) "made" (detail: the track) and "served". */
export const edits = new EventTarget();
const report = (name, detail) => edits.dispatchEvent(new CustomEvent(name, { detail }));

/** Report that a track was served from the catalog. */
export function served() {
  report("served");
}

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
  const done = await write(tracks, fieldsOf);
  if (!done.length) return;
  for (const track of done) report("edited", { ...track, ...fieldsOf(track) });
  const before = (track) => Object.fromEntries(Object.keys(fieldsOf(track)).map((name) => [name, track[name] ?? null]));
  const undo = () => changeAll(done, before, "as before");
  toast(`${called(done)} ${did}.`, { slot: "change", action: did === "as before" ? null : { label: "Undo", run: undo } });
}

/** Rate tracks; null takes their ratings away. */
export const rate = (tracks, rating) => changeAll(tracks, () => ({ rating }), rating ? `rated ${rating} of 5` : "no longer rated");

/** Give tracks a title; without one they are called by their text. */
export const rename = (tracks, words) => changeAll(tracks, () => ({ title: words }), words ? `renamed to “${words}”` : "called by its text again");

/** Add a tag to tracks. */
export const tag = (tracks, word) => changeAll(tracks, (track) => ({ tags: [...new Set([...(track.tags ?? []), word])] }), `tagged #${word}`);

/** Move tracks to the trash, and show a note that can undo it. */
export async function trash(tracks) {
  const done = await write(tracks, () => ({ trashed: true }));
  if (!done.length) return;
  report("gone", idsOf(done));
  toast(`${called(done)} moved to the trash.`, { slot: "change", action: { label: "Undo", run: () => restore(done) } });
}

/** Take tracks out of the trash. */
export async function restore(tracks) {
  const done = await write(tracks, () => ({ trashed: false }));
  if (!done.length) return;
  report("back", idsOf(done));
  toast(`${called(done)} back in the catalog.`, { slot: "change" });
}

const idsOf = (tracks) => tracks.map((track) => track.id);
const called = (tracks) => (tracks.length === 1 ? `“${title(tracks[0])}”` : plural(tracks.length, "track"));

/** Change many tracks, some hundred in one write; returns those that are done. The first write that fails is the last. */
async function write(tracks, fieldsOf) {
  const close = tracks.length > AT_ONCE ? toast(`Changing ${plural(tracks.length, "track")}…`, { stay_ms: 600_000 }) : null;
  const done = [];
  try {
    for (let at = 0; at < tracks.length; at += AT_ONCE) {
      const batch = tracks.slice(at, at + AT_ONCE);
      await patch("/tracks", { changes: Object.fromEntries(batch.map((track) => [track.id, fieldsOf(track)])) });
      done.push(...batch);
    }
  } catch (error) {
    complain(error);
  }
  close?.();
  return done;
}
