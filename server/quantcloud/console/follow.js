// Follows a stream of events: connects again when it breaks, and resumes after the last event.

import {ApiError} from "./api.js";

/** @typedef {"connecting" | "live" | "waiting"} FollowState */

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8_000;

/**
 * The milliseconds to wait before an attempt, with some chance so that pages do not come all at once.
 * @param {number} failures
 * @param {number} retryAfter In seconds.
 * @param {() => number} [random]
 */
export function pause(failures, retryAfter, random = Math.random) {
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(failures - 1, 10));
  return Math.max(retryAfter * 1000, wait * (0.5 + random() / 2));
}

/**
 * Follows a stream until `receive` returns true, the signal aborts, or an error does not pass. Throws
 * that error.
 * @param {import("./api.js").Api} api
 * @param {(last: string) => string} path The path to open after the event with the id `last`.
 * @param {(message: any, id: string) => boolean | void} receive
 * @param {{signal: AbortSignal, state?: (state: FollowState, error?: ApiError, retryAt?: number) => void, last?: string}} more
 */
export async function follow(api, path, receive, {signal, state, last = ""}) {
  let failures = 0;
  let finished = false;
  while (!signal.aborted && !finished) {
    state?.("connecting");
    /** @type {ApiError} */
    let failure;
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    try {
      await api.stream(path(last), (message, id) => {
        failures = 0;
        if (id) last = id;
        if (receive(message, id)) {
          finished = true;
          stop();
        }
      }, {signal: attempt.signal, lastEventId: last, opened: () => state?.("live")});
      failure = new ApiError("The stream ended.", {status: 503});
    } catch (error) {
      failure = /** @type {ApiError} */ (error);
    } finally {
      signal.removeEventListener("abort", stop);
    }
    if (signal.aborted || finished) return;
    if (!failure.passes) throw failure;
    failures += 1;
    const wait = pause(failures, failure.retryAfter);
    state?.("waiting", failure, Date.now() + wait);
    await rest(wait, signal);
  }
}

/**
 * Waits; not longer than until the network is back, or the page is looked at again.
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function rest(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}
