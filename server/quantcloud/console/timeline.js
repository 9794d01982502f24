// A job's way through its statuses, with their times.

import {fill, h} from "./dom.js";
import {duration, moment, number, secondsBetween} from "./format.js";

export const TERMINAL = new Set(["completed", "failed", "timeout", "cancelled"]);

/** @typedef {{status: string, at: string, queue?: number | null}} Step */

export class Timeline {
  /** @type {Step[]} */
  #steps = [];
  #list = h("ol", {class: "steps", "aria-live": "polite", "aria-label": "Statuses of the job"});
  element = this.#list;

  /**
   * Adds what an event says. A checkpoint only moves the place in the queue.
   * @param {any} event
   */
  add(event) {
    const job = event.job;
    const last = this.#steps[this.#steps.length - 1];
    if (event.checkpoint || !job || job.status === last?.status) {
      if (last && event.queue_position) last.queue = event.queue_position;
    } else {
      this.#steps.push({status: job.status, at: event.occurred_at, queue: event.queue_position});
    }
    this.#draw();
  }

  /**
   * Shows a job whose events are not kept any more.
   * @param {any} job
   */
  addJob(job) {
    this.#steps = [{status: "submitted", at: job.submitted_at}];
    if (job.started_at) this.#steps.push({status: "running", at: job.started_at});
    if (job.status !== "submitted") this.#steps.push({status: job.status, at: job.completed_at});
    this.#draw();
  }

  get status() {
    return this.#steps[this.#steps.length - 1]?.status ?? "";
  }

  #draw() {
    const first = this.#steps[0]?.at;
    fill(this.#list, this.#steps.map(({status, at, queue}, i) => {
      const now = i === this.#steps.length - 1;
      const since = secondsBetween(first, at);
      return h("li", {class: `step ${now ? "now" : ""} is-${status}`, "aria-current": now ? "step" : null},
        h("span", {class: "status"}, status),
        h("time", {datetime: at, title: moment(at)}, i === 0 ? moment(at) : `+${duration(since)}`),
        status === "queued" && now && queue && h("span", {class: "muted"}, `place ${number(queue)} in the queue`));
    }));
  }
}
