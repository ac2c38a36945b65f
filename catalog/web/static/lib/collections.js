// The collections of the catalog: playlists and saved searches. `collections` dispatches "changed" (detail: an id, or null for all).

import { get, patch, post, remove } from "./api.js";
import { plural, title } from "./format.js";
import { address } from "./route.js";
import { complain, toast } from "./toast.js";

const AT_ONCE = 1000; // ids in one call: a body holds 64 kB
const path = (id, what = "") => `/collections/${id}${what && `/${what}`}`;
const idsOf = (tracks) => tracks.map((track) => track.id);
const called = (tracks) => (tracks.length === 1 ? `“${title(tracks[0])}”` : plural(tracks.length, "track"));

class Collections extends EventTarget {
  /** What there is, by name; null until it is loaded. */
  all = null;

  async load() {
    this.all = (await get("/collections")).collections;
    this.dispatchEvent(new Event("loaded"));
  }

  async #changed(id) {
    await this.load().catch(complain);
    this.dispatchEvent(new CustomEvent("changed", { detail: id }));
  }

  /** Make a playlist with these tracks. Raises Problem, as for a name that is taken. */
  async create(name, tracks = []) {
    const { data } = await post("/collections", { name, track_ids: idsOf(tracks.slice(0, AT_ONCE)) });
    if (tracks.length > AT_ONCE) await this.#send(data.id, "add", tracks.slice(AT_ONCE));
    await this.#changed(data.id);
    toast(tracks.length ? `${called(tracks)} added to “${data.name}”.` : `“${data.name}” is there. Add tracks from the list.`, { slot: "change", action: { label: "Open", run: () => (location.hash = address("collection", new URLSearchParams({ id: data.id }))) } });
    return data;
  }

  /** Keep a search, {q, by, sort}, under a name. Raises Problem. */
  async saveSearch(name, { q, by, sort }) {
    const { data } = await post("/collections", { name, query: q, ...(by ? { by } : {}), ...(sort ? { sort } : {}) });
    await this.#changed(data.id);
    toast(`The search is kept as “${data.name}”.`, { slot: "change" });
  }

  /** Raises Problem. */
  async rename(id, name) {
    await patch(path(id), { name });
    await this.#changed(id);
  }

  /** Give a saved search another query. Raises Problem. */
  async editSearch(id, query) {
    await patch(path(id), { query });
    await this.#changed(id);
  }

  async #send(id, what, tracks) {
    for (let at = 0; at < tracks.length; at += AT_ONCE) await post(path(id, what), { track_ids: idsOf(tracks.slice(at, at + AT_ONCE)) });
  }

  /** Add tracks at the end of a playlist, and show a note that can undo it. */
  add({ id, name }, tracks) {
    return this.#try(async () => {
      const known = new Set((await get(path(id))).track_ids);
      const fresh = tracks.filter((track) => !known.has(track.id));
      if (!fresh.length) return toast(`${called(tracks)} ${tracks.length === 1 ? "is" : "are"} in “${name}” already.`, { slot: "change" });
      await this.#send(id, "add", fresh);
      await this.#changed(id);
      const undo = () => this.#try(async () => (await this.#send(id, "remove", fresh), await this.#changed(id)));
      toast(`${called(fresh)} added to “${name}”.`, { slot: "change", action: { label: "Undo", run: undo } });
    });
  }

  /** Take tracks out of a playlist, and show a note that can undo it: the order is then as it was. */
  takeOut({ id, name }, tracks) {
    return this.#try(async () => {
      const before = (await get(path(id))).track_ids;
      await this.#send(id, "remove", tracks);
      await this.#changed(id);
      const undo = () => this.#try(async () => (await patch(path(id), { track_ids: before }), await this.#changed(id)));
      toast(`${called(tracks)} taken out of “${name}”.`, { slot: "change", action: { label: "Undo", run: undo } });
    });
  }

  /** Put a track of a playlist in the place of another, and show a note that can undo it. */
  swap({ id, name }, before, after) {
    return this.#try(async () => {
      const kept = (await get(path(id))).track_ids;
      const put = async (ids) => (await patch(path(id), { track_ids: ids }), await this.#changed(id));
      await put(kept.filter((one) => one !== after.id).map((one) => (one === before.id ? after.id : one)));
      toast(`“${name}” has the other take now.`, { slot: "change", action: { label: "Undo", run: () => this.#try(() => put(kept)) } });
    });
  }

  /** Move a track of a playlist before another one, or to the end. */
  move({ id }, track, before) {
    return this.#try(async () => (await post(path(id, "move"), { track_ids: [track.id], before: before?.id ?? null }), await this.#changed(id)));
  }

  /** Delete a collection, and show a note that can undo it. Returns whether that went well. */
  remove({ id, name }) {
    return this.#try(async () => {
      await remove(path(id));
      await this.#changed(id);
      const undo = () => this.#try(async () => (await post(path(id, "restore")), await this.#changed(id)));
      toast(`“${name}” deleted. Its tracks stay in the catalog.`, { slot: "change", action: { label: "Undo", run: undo } });
    });
  }

  async #try(work) {
    try {
      await work();
      return true;
    } catch (error) {
      complain(error);
      return false;
    }
  }
}

export const collections = new Collections();
