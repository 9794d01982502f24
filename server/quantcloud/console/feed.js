// The one stream of the page: every event of the account's jobs.

import {follow} from "./follow.js";

// Browsers open six connections to a host, so a page that nobody looks at gives its own back.
const HIDDEN_MILLISECONDS = 60_000;

/** @typedef {"off" | import("./follow.js").FollowState} FeedState */

/**
 * Fires `job` with each event (`detail`), `state`, and `gap` when events were missed: then what the
 * page shows must be read again.
 */
export class Feed extends EventTarget {
  /** @type {FeedState} */
  state = "off";
  /** @type {import("./api.js").ApiError | undefined} */
  error;
  #cursor = "";
  #wanted = false;
  #hidden = 0;
  /** @type {AbortController | null} */
  #running = null;

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.api = api;
    document.addEventListener("visibilitychange", () => this.#look());
  }

  start() {
    this.stop();
    this.#wanted = true;
    this.#cursor = "";
    this.#run();
  }

  stop() {
    this.#wanted = false;
    this.#halt();
  }

  #halt() {
    this.#running?.abort();
    this.#running = null;
    this.#enter("off");
  }

  #look() {
    clearTimeout(this.#hidden);
    if (document.hidden) {
      this.#hidden = setTimeout(() => this.#halt(), HIDDEN_MILLISECONDS);
    } else if (this.#wanted && !this.#running) {
      this.#run();
    }
  }

  async #run() {
    const running = this.#running = new AbortController();
    try {
      await follow(this.api, () => "/v1/jobs/events", (message, id) => {
        this.#cursor = id || this.#cursor;
        for (const event of message.events) this.dispatchEvent(new CustomEvent("job", {detail: event}));
      }, {
        signal: running.signal, last: this.#cursor,
        state: (state, error) => { if (this.#running === running) this.#enter(state, error); },
      });
    } catch (error) {
      if (this.#running !== running) return;
      this.#running = null;
      const failure = /** @type {import("./api.js").ApiError} */ (error);
      if (failure.status === 400 && this.#cursor) {
        // The server no longer has what came after the cursor.
        this.#cursor = "";
        this.dispatchEvent(new Event("gap"));
        this.#run();
      } else {
        this.#enter("off", failure);
      }
    }
  }

  /** @param {FeedState} state @param {import("./api.js").ApiError} [error] */
  #enter(state, error) {
    this.state = state;
    this.error = error;
    this.dispatchEvent(new Event("state"));
  }
}
