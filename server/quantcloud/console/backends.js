// The backends, with their state and queue.

import {fill, h, table} from "./dom.js";
import {counted, dollars, duration, number} from "./format.js";

/** @typedef {import("./main.js").App} App */

const EVERY_MILLISECONDS = 5000;

export class BackendsView {
  title = "Backends";
  #rows = h("tbody");
  #state = h("p", {class: "muted", role: "status"}, "Reading…");
  #timer = 0;

  element = h("div", {}, h("h1", {tabindex: "-1"}, "Backends"),
    h("div", {class: "card"},
      table("Backends", ["Backend", "State", {text: "In the queue", number: true}, {text: "Mean wait", number: true},
        {text: "Qubits", number: true}, {text: "Widest circuit", number: true}, {text: "A shot", number: true}, "What it is"], this.#rows),
      this.#state));

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.#read();
    this.#timer = setInterval(() => { if (!document.hidden) this.#read(); }, EVERY_MILLISECONDS);
  }

  close() {
    clearInterval(this.#timer);
  }

  async #read() {
    try {
      const [{backends}, status] = await Promise.all(["/v1/backends", "/v1/status"].map((path) => this.app.api.call("GET", path, {anonymous: true})));
      fill(this.#rows, backends.map((/** @type {any} */ each) => h("tr", {},
        h("th", {scope: "row"}, each.name), h("td", {}, h("span", {class: `status is-${each.status}`}, each.status)),
        h("td", {class: "number"}, number(each.queue_depth)), h("td", {class: "number"}, duration(each.avg_queue_time_sec)),
        h("td", {class: "number"}, number(each.num_qubits)), h("td", {class: "number"}, number(each.widest_circuit || null)),
        h("td", {class: "number"}, dollars(each.cost_per_shot)), h("td", {class: "long"}, each.description))));
      this.#state.textContent = `The platform is ${status.status}. ${counted(status.active_jobs, "job")} of all accounts ${status.active_jobs === 1 ? "waits or runs" : "wait or run"}.`;
    } catch (error) {
      this.#state.textContent = this.app.explain(error);
    }
  }
}
