// Calls the public REST API.

import {EventReader} from "./sse.js";

/** @typedef {{limit: number, remaining: number, reset: number}} RateLimit `reset` is in seconds since 1970. */

/** What the server answered instead of a result. `status` 0 means that no answer came. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, reason?: string, metadata?: Record<string, string>, retryAfter?: number, field?: string}} [more]
   */
  constructor(message, {status = 0, reason = "", metadata = {}, retryAfter = 0, field = ""} = {}) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.metadata = metadata;
    /** In seconds; 0 if the server said nothing. */
    this.retryAfter = retryAfter;
    this.field = field;
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/**
 * Returns the error in the body of an answer.
 * @param {number} status
 * @param {any} body
 * @param {number} [retryAfter]
 */
export function errorOf(status, body, retryAfter = 0) {
  /** @type {any[]} */
  const details = Array.isArray(body?.details) ? body.details : [];
  const info = details.find((each) => String(each["@type"]).endsWith("google.rpc.ErrorInfo"));
  const bad = details.find((each) => String(each["@type"]).endsWith("google.rpc.BadRequest"));
  const violation = (bad?.field_violations ?? [])[0];
  const message = body?.detail ?? body?.message ?? `The server answered with status ${status}.`;
  return new ApiError(String(message), {
    status, retryAfter, reason: info?.reason, metadata: info?.metadata, field: violation?.field,
  });
}

const UNREACHABLE = "The server cannot be reached.";
// A stream shows every 15 seconds that it lives.
const SILENCE_MILLISECONDS = 45_000;

/** Fires `refused` when the server does not accept the credentials. */
export class Api extends EventTarget {
  /** @type {RateLimit | null} */
  limit = null;

  /** @param {{secret: string}} session */
  constructor(session) {
    super();
    this.session = session;
  }

  /** The requests that are left in this minute; Infinity without a limit. */
  get left() {
    if (!this.limit || Date.now() / 1000 > this.limit.reset) return Infinity;
    return this.limit.remaining;
  }

  /** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
  get(path, signal) {
    return this.call("GET", path, {signal});
  }

  /** @param {string} path @param {any} body @param {{headers?: Record<string, string>, signal?: AbortSignal}} [more] @returns {Promise<any>} */
  post(path, body, more = {}) {
    return this.call("POST", path, {body, ...more});
  }

  /**
   * Returns the JSON of an answer. Throws `ApiError`.
   * @param {string} method
   * @param {string} path
   * @param {{body?: any, headers?: Record<string, string>, signal?: AbortSignal, anonymous?: boolean}} [more]
   * @returns {Promise<any>}
   */
  async call(method, path, {body, headers = {}, signal, anonymous = false} = {}) {
    const answer = await this.#fetch(method, path, {body, headers, signal, anonymous});
    try {
      return await answer.json();
    } catch (error) {
      throw lost(error);
    }
  }

  /**
   * Reads a stream of server-sent events until it ends. Throws `ApiError`. An answer without content
   * has no events.
   * @param {string} path
   * @param {(message: any, id: string) => void} receive
   * @param {{signal: AbortSignal, lastEventId?: string, opened?: () => void}} more
   */
  async stream(path, receive, {signal, lastEventId = "", opened}) {
    const silence = new AbortController();
    const stop = () => silence.abort();
    signal.addEventListener("abort", stop);
    let timer = setTimeout(stop, SILENCE_MILLISECONDS);
    const {secret} = this.session;
    try {
      const headers = {...lastEventId && {"Last-Event-ID": lastEventId}};
      const answer = await this.#fetch("GET", path, {headers, signal: silence.signal});
      opened?.();
      if (!answer.body) return;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      const events = new EventReader();
      for (;;) {
        const {done, value} = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(stop, SILENCE_MILLISECONDS);
        for (const {id, data} of events.read(value)) {
          const message = JSON.parse(data);
          if (message.error) {
            const error = errorOf(statusOf(message.error.code), message.error);
            this.#report(error, secret);
            throw error;
          }
          receive(message, id);
        }
      }
    } catch (error) {
      throw lost(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      silence.abort();
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{body?: any, headers: Record<string, string>, signal?: AbortSignal, anonymous?: boolean}} more
   */
  async #fetch(method, path, {body, headers, signal, anonymous}) {
    const secret = anonymous ? "" : this.session.secret;
    let answer;
    try {
      answer = await fetch(path, {
        method, signal, cache: "no-store", credentials: "omit", redirect: "error",
        headers: {
          ...headers,
          ...secret && {Authorization: `Bearer ${secret}`},
          ...body !== undefined && {"Content-Type": "application/json"},
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      throw lost(error);
    }
    if (!anonymous) this.#note(answer.headers);
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => null);
    const error = errorOf(answer.status, said, Number(answer.headers.get("Retry-After")) || 0);
    this.#report(error, secret);
    throw error;
  }

  /** @param {ApiError} error @param {string} secret */
  #report(error, secret) {
    if (error.status === 401 && secret && secret === this.session.secret) {
      this.dispatchEvent(new CustomEvent("refused", {detail: error}));
    }
  }

  /** @param {Headers} headers */
  #note(headers) {
    const [limit, remaining, reset] = ["Limit", "Remaining", "Reset"].map((name) => headers.get(`X-RateLimit-${name}`));
    if (limit === null || remaining === null) return;
    this.limit = {limit: Number(limit), remaining: Number(remaining), reset: Number(reset)};
  }
}

/**
 * The HTTP status of a gRPC status code, where the page treats them differently.
 * @param {number} code
 */
function statusOf(code) {
  return {3: 400, 5: 404, 7: 403, 8: 429, 9: 400, 11: 400, 14: 503, 16: 401}[code] ?? 500;
}

/** @param {any} error */
function lost(error) {
  if (error instanceof ApiError) return error;
  if (error instanceof SyntaxError) return new ApiError("The server's answer broke off.");
  return new ApiError(UNREACHABLE);
}
