// The HTTP API: JSON in, JSON out, a problem document as an error with a sentence in it.

export class Problem extends Error {
  constructor(status, title, detail, retryAfter_s = null) {
    super(detail || title);
    this.status = status;
    this.retryAfter_s = retryAfter_s;
  }
}

/** Call the API. Raises Problem, or the AbortError of `signal`. */
export async function call(method, path, { body, query, signal } = {}) {
  const url = `/api${path}${search(query)}`;
  let answer;
  try {
    answer = await fetch(url, {
      method,
      signal,
      // The service wants this of everything that changes something, with a body or without: no foreign form can send it.
      headers: method === "GET" ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The catalog does not answer. Is `catalog serve` still running?");
  }
  const told = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) {
    const wait = Number(answer.headers.get("Retry-After")) || null;
    throw new Problem(answer.status, told?.title ?? answer.statusText, typeof told?.detail === "string" ? told.detail : null, wait);
  }
  return { status: answer.status, data: told };
}

export const get = async (path, query, signal) => (await call("GET", path, { query, signal })).data;
export const patch = async (path, body) => (await call("PATCH", path, { body })).data;
export const remove = async (path) => (await call("DELETE", path)).data;
export const post = (path, body, signal) => call("POST", path, { body, signal });

/** The address of something about a track that the browser loads by itself. */
export function trackUrl(id, what, query) {
  return `/api/tracks/${encodeURIComponent(id)}/${what}${search(query)}`;
}

export const trackPath = (id, what = "") => `/tracks/${encodeURIComponent(id)}${what && `/${what}`}`;

function search(query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

export const aborted = (error) => error.name === "AbortError";
