// The requirements in words: what a track must be, and which of them it does not meet.

import { name, number } from "../../lib/format.js";
import { QUALITIES } from "../../lib/vocabulary.js";

const RULED_OUT = {
  role: "of another role",
  style: "of another style",
  quality: "of lower quality",
  model: "by a simpler model",
  duration: "too short or too long",
  loop: "that do not loop as wanted",
  environment: "set elsewhere",
  time_of_day: "set at another time",
  backend: "made another way",
  license: "that may not be used commercially",
  feedback: "you turned down",
};
// Facts that a track either equals or does not.
const EQUAL = [
  ["role", "Role"],
  ["style", "Style"],
  ["environment", "Place"],
  ["time_of_day", "Time"],
];

/** Return what every track had to be, in one line. */
export function hardFacts(decision, request) {
  const facts = Object.entries(decision.filter ?? {}).filter(([key, value]) => isRequired(key, value));
  return facts.map(([key, value]) => inWords(key, value)).join(", ") || `role ${name(request.role).toLowerCase()}`;
}

function isRequired(key, value) {
  if (key === "state" || value === null || (Array.isArray(value) && !value.length)) return false;
  if (value === false) return key === "loopable";
  return !(key === "min_model_rank" && value === 0);
}

function inWords(key, value) {
  if (key === "min_duration_s") return `at least ${value.toFixed(1)} s`;
  if (key === "max_duration_s") return `at most ${value.toFixed(1)} s`;
  if (key === "min_quality") return `${value} quality or better`;
  if (key === "loopable") return value ? "a loop" : "no loop";
  if (key === "whole_pieces") return "imported pieces may be longer";
  if (key === "min_model_rank") return "no simpler model";
  if (key === "backend") return `made by ${value}`;
  if (key === "license") return `licensed for ${value} use`;
  return `${key.replaceAll("_", " ").replace(/^min /, "at least ")} ${typeof value === "string" ? name(value).toLowerCase() : value}`;
}

/** Return how many tracks each fact rules out, in one line; "" where that was not counted. */
export function ruledOutCounts(decision) {
  const counts = Object.entries(decision.rejected_by ?? {}).filter(([, count]) => count > 0);
  counts.sort(([, a], [, b]) => b - a);
  return counts.map(([fact, count]) => `${number(count)} ${RULED_OUT[fact] ?? `by ${fact.replaceAll("_", " ")}`}`).join(", ");
}

/** Return the facts of a filter that a track does not meet, each in words. */
export function unmetFacts(track, filter) {
  const unmet = EQUAL.filter(([key]) => isSet(filter[key]) && track[key] !== filter[key]);
  return [...unmet.map(([key, label]) => `${label}: ${name(track[key]).toLowerCase() || "not known"}, ${name(filter[key]).toLowerCase()} needed`), ...unmetBounds(track, filter)];
}

const isSet = (value) => value !== null && value !== undefined;

function unmetBounds(track, filter) {
  const rank = (quality) => QUALITIES.indexOf(quality);
  return [
    filter.min_duration_s !== null && track.duration_s < filter.min_duration_s && `Too short: ${track.duration_s.toFixed(1)} s, at least ${filter.min_duration_s.toFixed(1)} s needed`,
    filter.max_duration_s !== null && track.duration_s > filter.max_duration_s && `Too long: ${track.duration_s.toFixed(1)} s, at most ${filter.max_duration_s.toFixed(1)} s`,
    filter.min_quality && rank(track.quality) < rank(filter.min_quality) && `Quality: ${track.quality}, ${filter.min_quality} needed`,
    filter.min_model_rank !== null && track.model_rank < filter.min_model_rank && `Made by a lesser model, ${track.model}`,
    filter.loopable !== null && track.loopable !== filter.loopable && (filter.loopable ? "Does not loop" : "It is a loop"),
    filter.backend && track.backend !== filter.backend && `Made by ${track.backend}`,
  ].filter(Boolean);
}
