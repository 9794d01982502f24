// The result of a job.

import {copyButton, h, tabs} from "./dom.js";
import {counted, duration} from "./format.js";
import {histogram} from "./histogram.js";
import {statevector} from "./statevector.js";
import {curves} from "./sweep.js";

// More text than this makes a page slow.
const SHOWN_CHARACTERS = 200_000;

/**
 * @param {any} result
 * @param {any} circuit What the job was, if it is known.
 */
export function resultView(result, circuit) {
  const pages = [];
  if (result.sweep) {
    pages.push({name: "Curves", make: () => curves(result.sweep, circuit?.parameters ?? circuit?.sweep?.parameters ?? {})});
  } else {
    pages.push({name: "Histogram", make: () => histogram([{name: "Shots", counts: result.counts}])});
  }
  if (result.statevector) pages.push({name: "Statevector", make: () => statevector(result.statevector)});
  pages.push({name: "JSON", make: () => rawJson(result)});
  return h("div", {class: "result"}, h("p", {class: "muted"}, summary(result)), tabs("Result", pages));
}

/** @param {any} result */
function summary(result) {
  const shots = Object.values(result.counts ?? {}).reduce((sum, count) => sum + count, 0);
  return [
    result.sweep ? counted(result.sweep.points_done, "point") : counted(shots, "shot"),
    result.sweep ? null : counted(Object.keys(result.counts).length, "outcome"),
    [result.backend, result.metadata?.method].filter(Boolean).join(", "),
    duration(result.execution_time_ms / 1000),
  ].filter(Boolean).join(" · ");
}

/** @param {any} value */
export function rawJson(value) {
  const text = JSON.stringify(value, null, 2);
  return h("div", {},
    h("div", {class: "actions"}, copyButton("Copy JSON", () => text)),
    h("pre", {tabindex: "0", role: "region", "aria-label": "JSON"}, text.slice(0, SHOWN_CHARACTERS),
      text.length > SHOWN_CHARACTERS ? "\n…" : null));
}
