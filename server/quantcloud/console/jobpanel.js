// One job, live: its statuses, and its result when there is one.

import {fill, h} from "./dom.js";
import {follow} from "./follow.js";
import {duration, moment} from "./format.js";
import {resultView} from "./result.js";
import {TERMINAL, Timeline} from "./timeline.js";

/** @typedef {import("./main.js").App} App */

const MOST_PAGES = 8;
/** A job that waits longer, in milliseconds, shows why. */
const SHORT_WAIT_MS = 500;
/**
 * What a queued job waits for, by the reason in the contract.
 * @type {Record<string, string>}
 */
const WAITS_FOR = {
  turn: "its turn", workers: "a worker", memory: "memory that other runs hold", account: "your other runs",
};

export class JobPanel {
  #timeline = new Timeline();
  #state = h("p", {class: "muted", role: "status", hidden: true});
  #actions = h("div", {class: "actions"});
  #outcome = h("div");
  #closing = new AbortController();
  #sequence = 0;
  /** @type {any} */
  job = null;

  element = h("div", {class: "panel"}, this.#timeline.element, this.#state, this.#actions, this.#outcome);

  /**
   * @param {App} app
   * @param {string} id
   * @param {{circuit?: any, changed?: (job: any) => void}} [more] `circuit` is the request, if it is known.
   */
  constructor(app, id, {circuit, changed} = {}) {
    this.app = app;
    this.id = id;
    this.circuit = circuit;
    this.changed = changed;
    this.#follow();
  }

  get events() {
    return this.#timeline.events;
  }

  close() {
    this.#closing.abort();
  }

  async cancel() {
    try {
      await this.app.api.post(`/v1/jobs/${this.id}/cancel`, {});
    } catch (error) {
      this.app.tell(error);
    }
  }

  async #follow() {
    try {
      await follow(this.app.api, () => `/v1/jobs/${this.id}/events?after_sequence=${this.#sequence}&with_result=true`,
        (event) => this.#take(event), {
          signal: this.#closing.signal,
          state: (state, error) => this.#say(state === "waiting" ? `${error?.message} This page tries again.` : ""),
        });
    } catch (error) {
      const failure = /** @type {import("./api.js").ApiError} */ (error);
      if (failure.status === 400) await this.#fromJob();
      else if (failure.status === 401) this.#resumeAfterSignIn();
      else this.#say(failure.message);
    }
  }

  #resumeAfterSignIn() {
    this.#say("Sign in to follow this job.");
    this.app.session.addEventListener("change", () => this.#follow(), {once: true, signal: this.#closing.signal});
  }

  // The server keeps the job, but not its events any more.
  async #fromJob() {
    try {
      const job = await this.app.api.get(`/v1/jobs/${this.id}`);
      this.#timeline.addJob(job);
      this.#note(job);
      if (job.status === "completed") await this.#readResult();
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message);
    }
  }

  /** @param {any} event */
  #take(event) {
    this.#sequence = Math.max(this.#sequence, event.sequence);
    this.#timeline.add(event);
    this.#say("");
    if (event.job?.status === "queued") setTimeout(() => this.#readWait(), SHORT_WAIT_MS);
    if (!event.job || event.checkpoint) return false;
    this.#note(event.job);
    const ended = TERMINAL.has(event.job.status);
    if (event.result && !isCut(event.result)) this.#show(event.result);
    else if (event.job.status === "completed" || (ended && event.job.metadata?.sweep?.points_done)) this.#readResult();
    return ended;
  }

  // No event tells why a job waits.
  async #readWait() {
    if (this.job?.status !== "queued" || this.#closing.signal.aborted) return;
    const job = await this.app.api.get(`/v1/jobs/${this.id}`, this.#closing.signal).catch(() => null);
    if (job?.status === "queued" && this.job.status === "queued") this.#note(job);
  }

  /** @param {any} job */
  #note(job) {
    this.job = job;
    const ended = TERMINAL.has(job.status);
    const done = job.metadata?.sweep;
    fill(this.#actions,
      !ended && h("button", {type: "button", class: "quiet", onclick: () => this.cancel()}, "Cancel"),
      !ended && done && h("span", {class: "muted"}, `${done.points_done ?? 0} of ${done.points} points`),
      job.wait_reason && h("span", {class: "muted"}, `waits for ${WAITS_FOR[job.wait_reason] ?? job.wait_reason}`),
      !ended && job.estimated_start_at && h("span", {class: "muted"}, `starts about ${moment(job.estimated_start_at)}`));
    if (job.error_message) fill(this.#outcome, h("p", {class: "problem"}, job.error_message));
    this.changed?.(job);
  }

  async #readResult() {
    try {
      const {signal} = this.#closing;
      const result = await this.app.api.get(`/v1/jobs/${this.id}/result`, signal);
      await this.#readPoints(result);
      this.#show(result);
    } catch (error) {
      const failure = /** @type {import("./api.js").ApiError} */ (error);
      if (this.#closing.signal.aborted) return;
      if (!failure.passes) {
        this.#say(failure.message);
        return;
      }
      this.#say(`The result could not be read. ${failure.message}`);
      fill(this.#actions, h("button", {type: "button", class: "quiet", onclick: () => { this.#say(""); this.#readResult(); }}, "Read the result"));
    }
  }

  // A result of a sweep has about 1 MiB of points at a time.
  /** @param {any} result */
  async #readPoints(result) {
    for (let pages = 1; isCut(result) && pages < MOST_PAGES; pages += 1) {
      const {points} = result.sweep;
      const next = await this.app.api.get(`/v1/jobs/${this.id}/result?point_offset=${points.length}`, this.#closing.signal);
      if (!next.sweep.points.length) return;
      points.push(...next.sweep.points);
    }
  }

  /** @param {any} result */
  #show(result) {
    this.result = result;
    fill(this.#outcome, resultView(result, this.circuit));
  }

  /** @param {string} text */
  #say(text) {
    this.#state.textContent = text;
    this.#state.hidden = !text;
  }
}

/** Whether a result has not all of its points. @param {any} result */
function isCut({sweep}) {
  return Boolean(sweep) && sweep.points.length < sweep.points_done;
}

/** @param {any} job */
export function took(job) {
  const seconds = job.metadata?.routing?.actual_seconds;
  return seconds === undefined ? "–" : duration(seconds);
}
