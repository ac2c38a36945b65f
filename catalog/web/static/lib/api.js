// The HTTP API: JSON in, JSON out. An error of the service is a Problem with a sentence for the reader.
// Addresses are relative, so that the page works under any path that it is mounted at.

import { connection, isGateway } from "./connection.js";

/** An answer with an error status; its message is a sentence. `status` 0: the service does not answer. */
export class Problem extends Error {
  constructor(status, title, detail, retryAfter_s = null) {
    super(detail || title);
    this.status = status;
    this.retryAfter_s = retryAfter_s;
    /** The page shows it already: what only reads is asked again by itself. */
    this.shown = false;
  }
}

/** Call the API; returns {status, data}. Raises Problem, or the AbortError of `signal`. */
export async function call(method, path, { body, query, signal } = {}) {
  const url = `api${path}${search(query)}`;
  let response;
  try {
    response = await fetch(url, {
      method,
      signal,
      // The service refuses a change without this header, body or not: a form of another site cannot send it.
      headers: method === "GET" ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unanswered(method);
  }
  if (isGateway(response.status)) throw unanswered(method);
  connection.answered();
  const data = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return { status: response.status, data };
  const wait_s = Number(response.headers.get("Retry-After")) || null;
  throw new Problem(response.status, data?.title ?? response.statusText, typeof data?.detail === "string" ? data.detail : null, wait_s);
}

function unanswered(method) {
  connection.failed();
  const problem = new Problem(0, "unreachable", method === "GET" ? "The catalog does not answer." : "The catalog does not answer. Try that again when it is back.");
  problem.shown = method === "GET";
  return problem;
}

export const get = async (path, query, signal) => (await call("GET", path, { query, signal })).data;
export const patch = async (path, body) => (await call("PATCH", path, { body })).data;
export const remove = async (path) => (await call("DELETE", path)).data;
export const post = (path, body, signal) => call("POST", path, { body, signal });

/** Return the URL of a file of a track, for an element or a link that loads it. */
export function trackUrl(id, what, query) {
  return `api/tracks/${encodeURIComponent(id)}/${what}${search(query)}`;
}

/** Return the path of a track for the functions above. */
export const trackPath = (id, what = "") => `/tracks/${encodeURIComponent(id)}${what && `/${what}`}`;

function search(query) {
  const set = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return set.length ? `?${new URLSearchParams(set)}` : "";
}

/** Return true when a call was aborted on purpose. */
export const aborted = (error) => error.name === "AbortError";
