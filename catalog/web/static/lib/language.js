// The query language, as far as the page writes it: a chosen facet becomes a term beside what the reader typed.

/** The facets and their headings, in the order they are shown. */
export const FACETS = {
  mood: "Mood",
  style: "Style",
  role: "Role",
  quality: "Quality",
  environment: "Environment",
  tag: "Tag",
  backend: "Made by",
  rating: "Rating",
};

/** Facets of which a track can have several values. It must have all that are chosen; of any other facet, one. */
const MANY = new Set(["mood", "tag"]);

/** Return the query of an address: its `q`, and the terms of its facets. */
export function queryOf(params) {
  const terms = [params.get("q")?.trim()];
  for (const facet of Object.keys(FACETS)) {
    const values = params.getAll(facet).map(quoted);
    if (MANY.has(facet)) for (const value of values) terms.push(`${facet}:${value}`);
    else if (values.length) terms.push(`${facet}:${values.join(",")}`);
  }
  return terms.filter(Boolean).join(" ");
}

/** Return true when a query has words to search for beside its terms. */
export function hasWords(query) {
  return query
    .replace(/-?[a-z_]+:("[^"]*"|[^\s"])*/gi, " ")
    .split(/\s+/)
    .some((word) => word && !word.startsWith("-"));
}

/** Return the query of `GET /api/tracks` for an address. A search is narrowed to what matches, and comes best first. */
export function listQuery(params) {
  const q = queryOf(params);
  const words = hasWords(q);
  return {
    q,
    by: words ? params.get("by") ?? "both" : undefined,
    narrow: "true",
    sort: words ? undefined : params.get("sort") ?? "-created_at",
    trashed: params.get("trashed") ? "true" : undefined,
  };
}

/** Return `text` without the marks that mean something in the query language. */
export function plainWords(text) {
  return text.replace(/[:"]/g, " ").replace(/(^|\s)-+/g, " ").trim();
}

function quoted(value) {
  return /^[\w.-]+$/.test(value) ? value : `"${value.replaceAll('"', "")}"`;
}
