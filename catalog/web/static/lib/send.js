// Sound to the service and back, where JSON does not do.

import { Problem } from "./api.js";
import { connection, isGateway } from "./connection.js";

/** Send a recording; returns what the service answers, as JSON. Raises Problem, or the AbortError of `signal`. */
export async function sendSound(path, body, signal) {
  const response = await answered(path, { method: "POST", headers: { "Content-Type": "audio/wav" }, body, signal });
  return response.json();
}

/** Return a file of the service as a Blob. Raises Problem. */
export async function fetchSound(path) {
  return (await answered(path)).blob();
}

async function answered(path, options) {
  let response;
  try {
    response = await fetch(`api${path}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw lost();
  }
  if (isGateway(response.status)) throw lost();
  connection.answered();
  if (!response.ok) throw new Problem(response.status, response.statusText, (await response.json().catch(() => null))?.detail);
  return response;
}

function lost() {
  connection.failed();
  return new Problem(0, "unreachable", "The catalog does not answer. Try that again when it is back.");
}
