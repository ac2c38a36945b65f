// A story in parts: a text is split at its empty lines, a file of JSON lines has a part a line.

import { Problem } from "../../lib/api.js";

export const FILES = ".txt,.md,.jsonl,text/plain";
const MOST_BYTES = 60_000; // as the service takes

/** Return the parts of a text: what stands between empty lines. */
export function partsOf(text) {
  return text
    .split(/\n\s*\n/)
    .map((part) => part.trim())
    .filter(Boolean);
}

/** Return {title, text, parts} of a file; each part is a text, or an object that has one. Raises Problem. */
export async function readStory(file) {
  const content = (await file.text()).replace(/^\uFEFF/, "");
  if (content.length > MOST_BYTES) throw new Problem(413, "too large", "The story is too long. Give it in pieces of about 10,000 words.");
  const title = file.name.replace(/\.\w+$/, "");
  if (!/\.jsonl?$/i.test(file.name)) return { title, text: content, parts: partsOf(content) };
  const parts = content.split("\n").filter((line) => line.trim()).map((line, at) => parsed(line, at, file.name));
  return { title, text: parts.map(textOf).join("\n\n"), parts };
}

/** Return the text of a part. */
export const textOf = (part) => (typeof part === "string" ? part : part.text);

function parsed(line, at, name) {
  try {
    const part = JSON.parse(line);
    if (typeof textOf(part) === "string") return typeof part === "string" ? part : { ...part, narration: undefined }; // its recordings are files of that machine
  } catch {
    // told below
  }
  throw new Problem(422, "no story", `Line ${at + 1} of “${name}” is no part of a story. Each line needs a text.`);
}
