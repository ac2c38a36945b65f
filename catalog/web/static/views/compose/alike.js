// How near a track's context is, as a listener would say it.

import { moodApart, percent } from "../../lib/format.js";

const MOOD_COST = 0.6; // as `weighing.py` has it

/** Return how near a track is in meaning and mood. */
export const alike = (one) => `${percent(one.similarity)} alike in meaning, ${moodApart(one.mood_distance)}.`;

/** Return how the match of a track comes about: what is alike, less what differs. */
export function matchOf(one) {
  const mood = MOOD_COST * one.mood_distance;
  const parts = [[mood, "for the mood"], [one.similarity - one.score - mood, "for place and time"]];
  const less = parts.filter(([cost]) => cost >= 0.005).map(([cost, what]) => `less ${percent(cost)} ${what}`);
  return `${[`${percent(one.similarity)} alike in meaning`, ...less].join(", ")}.`;
}
