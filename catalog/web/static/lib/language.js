// The query language, as far as the page writes it: facets become terms beside what the reader typed.

export const FACETS = {
  mood: "Mood",
  style: "Style",
  role: "Role",
  quality: "Quality",
  environment: "Environment",
  backend: "Made by",
  rating: "Rating",
};

/** Facets of which a track has several values: each one chosen narrows; of the others any chosen one will do. */
const MANY = new Set(["mood"]);

/** Return the query of an address: its `q`, and a term for every facet that is set. */
export function queryOf(params) {
  const terms = [params.get("q")?.trim()];
  for (const facet of Object.keys(FACETS)) {
    const values = params.getAll(facet).map(quoted);
    if (MANY.has(facet)) for (const value of values) terms.push(`${facet}:${value}`);
    else if (values.length) terms.push(`${facet}:${values.join(",")}`);
  }
  return terms.filter(Boolean).join(" ");
}

/** Return true where a query holds words to search for, not terms alone. */
export function hasWords(query) {
  return query
    .replace(/-?[a-z_]+:("[^"]*"|[^\s"])*/gi, " ")
    .split(/\s+/)
    .some((word) => word && !word.startsWith("-"));
}

/** Return words of `text` that the query language takes for nothing but words. */
export function plainWords(text) {
  return text.replace(/[:"]/g, " ").replace(/(^|\s)-+/g, " ").trim();
}

function quoted(value) {
  return /^[\w.-]+$/.test(value) ? value : `"${value.replaceAll('"', "")}"`;
}
