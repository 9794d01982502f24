// A plan as a table: what each backend would do with the circuit.

import {facts, h, table} from "./dom.js";
import {bytes, counted, dollars, duration, number, percent, short} from "./format.js";

/**
 * @param {any[]} candidates
 * @param {string} chosen
 * @param {string} target What the run is optimized for.
 */
export function candidates(candidates, chosen, target) {
  return table("Backends that QuantRouter compared", [
    "Backend", {text: "Score", number: true}, "Method", {text: "Time", number: true}, {text: "Wait", number: true},
    {text: "Memory", number: true}, {text: "Cost", number: true},
  ], h("tbody", {}, candidates.map((each) => (each.rejection
    ? h("tr", {class: "muted"}, h("th", {scope: "row"}, each.backend), h("td", {colspan: 6, class: "long"}, each.rejection))
    : h("tr", {class: each.backend === chosen ? "chosen" : null},
      h("th", {scope: "row"}, each.backend, each.backend === chosen ? h("span", {class: "tag"}, "chosen") : null),
      h("td", {class: "number"}, (each.scores?.[target] ?? 0).toFixed(3)),
      h("td", {}, each.method),
      h("td", {class: "number"}, duration(each.predicted_seconds)),
      h("td", {class: "number"}, duration(each.predicted_wait_seconds ?? 0)),
      h("td", {class: "number"}, bytes(each.predicted_memory_bytes)),
      h("td", {class: "number"}, dollars(each.cost_usd)))))));
}

/** @param {any} plan */
export function planView(plan) {
  const {analysis, quota} = plan;
  return h("div", {},
    h("p", {}, `${plan.reason}.`),
    candidates(plan.candidates, plan.backend, plan.optimize_for),
    facts([
      ["Would run on", `${plan.backend} (${plan.method})`],
      ["Predicted time", duration(plan.predicted_seconds)],
      ["Time limit", duration(plan.time_limit_seconds)],
      ["Wait", `${duration(plan.predicted_wait_seconds)}, place ${number(plan.queue_position)}`],
      ["Fidelity", percent(plan.predicted_fidelity)],
      ["Memory", bytes(plan.predicted_memory_bytes)],
      ["Cost", dollars(plan.cost_usd)],
      ["Circuit", `${sizeOf(analysis)}${analysis.is_clifford ? ", Clifford" : ""}${analysis.algorithm ? `, ${analysis.algorithm}` : ""}`],
      ["Minutes left", quota.simulator_minutes_left === null ? null : short(quota.simulator_minutes_left)],
    ]));
}

/** @param {any} analysis */
export function sizeOf(analysis) {
  return [
    counted(analysis.num_qubits, "qubit"), counted(analysis.num_clbits, "bit"),
    counted(analysis.gate_count, "instruction"), `depth ${number(analysis.circuit_depth)}`,
  ].join(", ");
}
