// One job with everything that the server keeps of it.

import {confirmed, facts, fill, h} from "./dom.js";
import {duration, jobName, moment, number} from "./format.js";
import {JobPanel} from "./jobpanel.js";
import {candidates} from "./plan.js";
import {rawJson} from "./result.js";
import {copies} from "./snippets.js";
import {eventTable, TERMINAL} from "./timeline.js";

/** @typedef {import("./main.js").App} App */

// What a run takes, of what the server says about a job's circuit.
const FIELDS = ["qasm", "shots", "options", "optimize_for", "max_cost_usd", "min_fidelity", "name", "tags"];

/** The request that repeats a job: same backend, options and seed. @param {any} circuit */
export function again(circuit) {
  const request = Object.fromEntries(FIELDS.map((name) => [name, circuit[name]]));
  const sweep = Object.fromEntries(Object.entries(circuit.sweep ?? {}).filter(([, value]) => value !== false));
  return clean({...request, shots: circuit.shots || null, backend: circuit.backend ?? circuit.requested_backend, ...sweep});
}

/** Leaves out what has no value, inside too. @param {any} value @returns {any} */
function clean(value) {
  if (Array.isArray(value) || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value)
    .map(([name, each]) => [name, clean(each)])
    .filter(([, each]) => each !== null && each !== undefined && !(typeof each === "object" && Object.keys(each).length === 0)));
}

export class JobView {
  #head = h("h1", {tabindex: "-1"}, "Job");
  #facts = h("div");
  #circuit = h("section", {class: "card", "aria-label": "Circuit", hidden: true});
  #routing = h("section", {class: "card", "aria-label": "Routing", hidden: true});
  #raw = h("details", {class: "more"}, h("summary", {}, "Job as JSON"));
  #events = h("details", {class: "more"});
  #actions = h("div", {class: "actions"});
  /** @type {any} */
  #asked = null;

  /** @param {App} app @param {string} id */
  constructor(app, id) {
    this.app = app;
    this.id = id;
    this.title = "Job";
    this.panel = new JobPanel(app, id, {changed: (job) => this.#show(job)});
    this.element = h("div", {}, h("p", {class: "back"}, h("a", {href: "#/jobs"}, "← Jobs")), this.#head,
      h("section", {class: "card", "aria-label": "Result"}, this.panel.element, this.#actions, this.#events),
      h("section", {class: "card", "aria-label": "Facts"}, this.#facts, this.#raw),
      this.#routing, this.#circuit);
    this.#readCircuit();
  }

  close() {
    this.panel.close();
  }

  async #readCircuit() {
    try {
      const circuit = this.#asked = await this.app.api.get(`/v1/jobs/${this.id}/circuit`);
      this.panel.circuit = circuit;
      fill(this.#circuit, h("h2", {}, "Circuit"), h("pre", {tabindex: "0", role: "region", "aria-label": "OpenQASM"}, circuit.qasm),
        h("div", {class: "actions"},
          h("button", {type: "button", class: "quiet", onclick: () => this.app.edit(circuit.qasm)}, "Open in the editor"),
          copies(() => again(circuit))));
      this.#circuit.hidden = false;
      this.#show(this.panel.job);
    } catch (error) {
      this.app.explain(error);
    }
  }

  /** @param {any} job */
  #show(job) {
    if (!job) return;
    this.#head.textContent = jobName(job);
    const circuit = this.#asked;
    fill(this.#facts, facts([
      ["Id", h("span", {class: "bits"}, job.job_id)], ["Backend", job.backend], ["Method", job.metadata?.routing?.method],
      ["Shots", number(job.shots)], ["Submitted", moment(job.submitted_at)], ["Started", job.started_at && moment(job.started_at)],
      ["Ended", job.completed_at && moment(job.completed_at)],
      ["Predicted time", job.metadata?.routing && duration(job.metadata.routing.predicted_seconds)],
      ["Run time", job.metadata?.routing?.actual_seconds !== undefined ? duration(job.metadata.routing.actual_seconds) : null],
      ["Seed", String(job.options?.seed ?? "")], ["Optimized for", circuit?.requested_backend ? null : job.optimize_for],
      ["Tags", job.tags?.join(", ")], ["Batch", job.batch_id], ["Simulator", circuit?.simulator_version],
    ]));
    fill(this.#raw, h("summary", {}, "Job as JSON"), rawJson(job));
    fill(this.#events, h("summary", {}, "All events"), eventTable(this.panel.events));
    const ended = TERMINAL.has(job.status);
    fill(this.#actions, ended && circuit && h("button", {type: "button", class: "quiet", onclick: () => this.#repeat()}, "Run again"));
    if (ended && this.#routing.hidden && job.metadata?.routing) this.#readRouting();
  }

  async #readRouting() {
    this.#routing.hidden = false;
    try {
      const {routing} = (await this.app.api.get(`/v1/jobs/${this.id}`)).metadata;
      fill(this.#routing, h("h2", {}, "Why this backend"), h("p", {}, `${routing.reason}.`),
        routing.candidates?.length ? candidates(routing.candidates, routing.backend, this.panel.job.optimize_for) : null);
    } catch (error) {
      fill(this.#routing, h("p", {class: "muted"}, this.app.explain(error)));
    }
  }

  async #repeat() {
    const sure = await confirmed("Run it again?", "Run again", "The same circuit, backend, options and seed give the same counts.");
    if (!sure) return;
    try {
      const job = await this.app.api.post("/v1/circuits/run", again(this.#asked));
      location.hash = `#/jobs/${job.job_id}`;
    } catch (error) {
      this.app.tell(error);
    }
  }
}
