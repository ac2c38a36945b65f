// Whether the service answers. The call that fails tells of it; from then on the page asks again by itself.

const FIRST_MS = 700;
const MOST_MS = 4000;
const PATIENCE_MS = 8000;

/** Dispatches "lost" when the service stops answering, and "back" when it answers again. */
class Connection extends EventTarget {
  lost = false;
  #timer = 0;
  #wait_ms = FIRST_MS;

  /** Note that a call was answered. */
  answered() {
    if (!this.lost) return;
    this.lost = false;
    clearTimeout(this.#timer);
    this.dispatchEvent(new Event("back"));
  }

  /** Note that a call was not answered. */
  failed() {
    if (this.lost) return;
    this.lost = true;
    this.#wait_ms = FIRST_MS;
    this.dispatchEvent(new Event("lost"));
    this.#later();
  }

  /** Ask the service whether it is there. */
  async check() {
    clearTimeout(this.#timer);
    try {
      const { status } = await fetch("api/health", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!isGateway(status)) return this.answered();
    } catch {
      // No answer.
    }
    if (this.lost) this.#later();
    else this.failed();
  }

  #later() {
    this.#timer = setTimeout(() => this.check(), this.#wait_ms);
    this.#wait_ms = Math.min(MOST_MS, this.#wait_ms * 1.6);
  }
}

/** Return true for the status with which a proxy says that the service behind it is not there. */
export const isGateway = (status) => status === 502 || status === 504;

export const connection = new Connection();

addEventListener("online", () => connection.lost && connection.check());
