// What the account used this month, and its limits.

import {facts, fill, h} from "./dom.js";
import {money, number, short} from "./format.js";

/** @typedef {import("./main.js").App} App */

export class UsageView {
  title = "Usage";
  #place = h("div", {}, h("p", {class: "muted"}, "Reading…"));
  element = h("div", {}, h("h1", {tabindex: "-1"}, "Usage"), this.#place);

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.#read();
  }

  async #read() {
    try {
      const usage = await this.app.api.get("/v1/account/usage");
      const month = usage.current_month;
      const credits = usage.credits_remaining_usd + month.total_cost_usd;
      const {limit} = this.app.api;
      fill(this.#place,
        h("section", {class: "card", "aria-label": "This month"}, h("h2", {}, "This month"),
          meter("Simulator minutes", month.simulator_minutes, month.simulator_limit, minutes),
          meter("Hardware tasks", month.qpu_tasks, month.qpu_limit, number),
          meter("Cost", month.total_cost_usd, credits, money),
          limit && meter("Requests in this minute", limit.limit - limit.remaining, limit.limit, number),
          facts([["Jobs", number(month.total_jobs)]])),
        h("section", {class: "card", "aria-label": "Limits"}, h("h2", {}, "Limits"), facts([
          ["Tier", usage.tier], ["Shots of a job", number(usage.limits.max_shots)], ["Qubits of a circuit", number(usage.limits.max_qubits)],
          ["Jobs at once", number(usage.limits.max_concurrent_jobs)], ["API keys", number(usage.limits.api_keys_limit)],
          ["Points of a sweep", usage.limits.max_points && number(usage.limits.max_points)],
        ])));
    } catch (error) {
      fill(this.#place, h("p", {class: "problem"}, this.app.explain(error)));
    }
  }
}

/** @param {number} value */
function minutes(value) {
  return value > 0 && value < 0.01 ? "less than 0.01" : short(value);
}

/**
 * @param {string} name
 * @param {number} used
 * @param {number | null} limit
 * @param {(value: number) => string} say
 */
function meter(name, used, limit, say) {
  const unlimited = limit === null || limit === undefined;
  const bar = h("meter", {min: "0", max: String(unlimited ? 1 : limit || 1), value: String(unlimited ? 0 : used), "aria-label": name});
  if (!unlimited) bar.high = 0.9 * (limit || 1);
  return h("div", {class: "meter"}, h("div", {class: "row"}, h("span", {}, name),
    h("span", {class: "muted"}, unlimited ? `${say(used)}, no limit` : `${say(used)} of ${say(limit)}`)), !unlimited && bar);
}
