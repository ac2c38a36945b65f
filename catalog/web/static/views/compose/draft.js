// What is written in Compose, kept for as long as the tab lives.

const KEY = "compose";

/** Return what was kept: {text, offered, fields}; {} without. */
export function draft() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // storage may be off
  }
}

export function keepDraft(values) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(values));
  } catch {
    // Storage may be off or full.
  }
}
