// Values as text: times, names of presets, numbers.

const LOCALE = undefined; // the locale of the browser

/** 75 -> "1:15", 3675 -> "1:01:15". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 0.05));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(rest).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** "environment_ocean" -> "Ocean scene", "ambient_lofi" -> "Ambient lofi". */
export function name(id) {
  if (!id) return "";
  const scene = id.startsWith("environment_");
  if (id === "ui_sfx") return "UI sound";
  const words = (scene ? `${id.slice(12)} scene` : id).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Return what a track is called: its title, else its topic, else its mood in words. */
export function title(track) {
  return track.title || track.summary || track.tone || track.id;
}

/** 1234.5 -> "1,235"; nothing -> "–". */
export function number(value, digits = 0) {
  return value === null || value === undefined
    ? "–"
    : new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** 0.5 -> "0.50", with a real minus sign. */
export function score(value) {
  return value === null || value === undefined ? "–" : value.toFixed(2).replace("-", "−");
}

/** Return in two words how near a track is to a search or to another track. */
export function nearness(value) {
  return value >= 0.6 ? "Strong match" : value >= 0.35 ? "Good match" : "Weak match";
}

/** 0.5 -> "50 %". */
export function percent(value) {
  return value === null || value === undefined ? "–" : `${Math.round(value * 100)} %`;
}

/** 1234567 -> "1.2 MB". */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = value > 0 ? Math.min(units.length - 1, Math.floor(Math.log10(value) / 3)) : 0;
  return `${number(value / 1000 ** power, power > 1 ? 1 : 0)} ${units[power]}`;
}

/** A span of seconds: "0.4 s", "42 s", "12 min", "3.4 h". */
export function span(seconds) {
  if (seconds < 90) return `${number(seconds, seconds && seconds < 10 ? 1 : 0)} s`;
  return seconds < 5400 ? `${number(seconds / 60)} min` : `${number(seconds / 3600, 1)} h`;
}

/** Return a date and time, of today the time alone. */
export function when(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const today = new Date().toDateString() === date.toDateString();
  return new Intl.DateTimeFormat(LOCALE, today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** "2026-03-04" -> "Mar 4, 2026". A date has no time zone, so none may move it. */
export function day(iso) {
  return new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeZone: "UTC" }).format(new Date(`${iso}T00:00:00Z`));
}

/** 3 -> "★★★☆☆". */
export function stars(rating) {
  return rating >= 1 && rating <= 5 ? "★".repeat(rating) + "☆".repeat(5 - rating) : "";
}

/** 1 -> "1 track", 2 -> "2 tracks". */
export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** Return any JSON value on one line. */
export function value(data) {
  if (data === null || data === undefined) return "–";
  return typeof data === "string" ? data : JSON.stringify(data);
}

/** Return `text` as a sentence: a capital at its start, a full stop at its end. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** Return how far two moods are from each other, in words. */
export function moodApart(distance) {
  return distance <= 0.05 ? "in the same mood" : distance <= 0.2 ? "in nearly the same mood" : distance <= 0.5 ? "in another mood" : "in the opposite mood";
}

// What the service tells in its own terms, and what a listener would say.
const INNER = [
  [/^only exact repeats are reused.*/, "so far only repeats are reused: not enough is known to tell what is near enough"],
  [/similarity (-?[\d.]+), mood distance ([\d.]+)/g, (_, alike, apart) => `${percent(Number(alike))} alike in meaning, ${moodApart(Number(apart))}`],
  [/fits with probability ([\d.]+)/g, (_, chance) => `${percent(Number(chance))} likely to fit`],
  [/chance ([\d.]+)( that|,|\))/g, (_, chance, rest) => `${percent(Number(chance))} likely${rest}`],
  [/chance ([\d.]+) to/g, (_, chance) => `${percent(Number(chance))} likely to`],
  [/score (-?[\d.]+) \(/g, (_, match) => `${percent(Number(match))} match (`],
  [/([\d.]+) needed/g, (_, needed) => `${percent(Number(needed))} needed`],
  [/the hard facts/g, "the requirements"],
  [/ \(distance [\d.]+ on the valence-energy plane\)/g, ""],
  [/[\d.]+ from the stated mood on the valence-energy plane/g, "near the stated mood"],
  [/duration_s ([\d.]+) was cut to ([\d.]+)/g, "the length was cut from $1 s to $2 s"],
  [/^named by the caller$/, "you said so"],
];

/** Return why a track was served or made, as a sentence, without the inner workings that the service tells of. */
export function why(reason) {
  return sentence(INNER.reduce((text, [inner, said]) => text.replace(inner, said), reason));
}
