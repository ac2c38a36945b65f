// Words that the service uses, with what the page shows for them. A test compares the keys with the service's own.

/** Places that a context can be set in. */
export const PLACES = ["forest", "rain", "ocean", "city", "night", "cave", "desert", "tavern", "storm", "snow", "space", "fireside"];

/** Times of day that a context can be set in. */
export const TIMES = ["dawn", "morning", "day", "dusk", "evening", "night"];

/** Quality tiers, the lowest first. */
export const QUALITIES = ["preview", "standard", "final"];

/** Where a value that was read in a text comes from. */
export const SOURCES = {
  caller: "you said so",
  text: "read in the text",
  heads: "learned from labelled sentences",
  prototypes: "like example sentences",
  encoder: "from its meaning",
  default: "the text does not tell",
};

/** Commands that look for a track and hand it to nobody. */
export const LOOKING = ["find", "dry-run"];
