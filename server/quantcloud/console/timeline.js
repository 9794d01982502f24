// A job's way through its statuses, with their times.

import {fill, h, table} from "./dom.js";
import {duration, moment, number, secondsBetween} from "./format.js";

export const TERMINAL = new Set(["completed", "failed", "timeout", "cancelled"]);

/** @typedef {{status: string, at: string, queue?: number | null}} Step */

export class Timeline {
  /** @type {any[]} Every event, but no checkpoints. */
  events = [];
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
    if (job && !event.checkpoint) this.events.push(event);
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

/** @param {any[]} events Every event of a job as a table. */
export function eventTable(events) {
  const first = events[0]?.occurred_at;
  return table("Events", [{text: "Number", number: true}, "Status", "Time", {text: "After", number: true}, {text: "Place in the queue", number: true}],
    h("tbody", {}, events.map(({sequence, job, occurred_at: at, queue_position: place}) => h("tr", {},
      h("th", {scope: "row", class: "number"}, number(sequence)), h("td", {}, job.status), h("td", {}, moment(at)),
      h("td", {class: "number"}, duration(secondsBetween(first, at))), h("td", {class: "number"}, place ? number(place) : "–")))));
}
