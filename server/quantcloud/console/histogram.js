// A histogram as a table: one row for each outcome.

import {fill, h, table} from "./dom.js";
import {counted, number, percent} from "./format.js";
import {barLength, ranked} from "./outcomes.js";

const FIRST = 64;
const MORE = 256;

/**
 * Returns a histogram of several results beside each other, or of one.
 * @param {{name: string, counts: Record<string, number>}[]} results
 */
export function histogram(results) {
  const several = results.length > 1;
  /** @type {Record<string, number>} */
  const sums = {};
  for (const {counts} of results) {
    for (const [bits, count] of Object.entries(counts)) sums[bits] = (sums[bits] ?? 0) + count;
  }
  const totals = results.map(({counts}) => Object.values(counts).reduce((sum, count) => sum + count, 0));
  // Bars of several results have one scale: shots for each ten thousand.
  const per = totals.map((total) => (several && total ? 10_000 / total : 1));
  const most = results.reduce((all, {counts}, i) => Object.values(counts).reduce((max, count) => Math.max(max, count * per[i]), all), 0);
  let shown = FIRST;

  const order = h("select", {onchange: first}, h("option", {value: "count"}, "Most shots first"), h("option", {value: "bits"}, "Bitstring"));
  const search = h("input", {type: "search", placeholder: "Find, such as 1?0", inputmode: "numeric", oninput: first, autocomplete: "off"});
  const scale = h("input", {type: "checkbox", onchange: draw});
  const rows = h("tbody");
  const state = h("p", {class: "muted", role: "status"});
  const more = h("button", {type: "button", class: "quiet", onclick: () => { shown += MORE; draw(); }}, "Show more");

  function first() {
    shown = FIRST;
    draw();
  }

  function draw() {
    const outcomes = ranked(sums, order.value === "bits" ? "bits" : "count", search.value);
    fill(rows, outcomes.slice(0, shown).map(({bits}) => h("tr", {},
      h("th", {scope: "row", class: "bits"}, bits || "(no bits)"),
      results.map(({counts}, i) => cells(counts[bits] ?? 0, i)))));
    more.hidden = outcomes.length <= shown;
    state.textContent = outcomes.length > shown || search.value
      ? `${number(Math.min(shown, outcomes.length))} of ${counted(outcomes.length, "outcome")}` : "";
    state.hidden = !state.textContent;
  }

  /** @param {number} count @param {number} series */
  function cells(count, series) {
    const total = totals[series];
    const bar = h("span", {class: `bar series-${series}`});
    bar.style.inlineSize = `${100 * barLength(count * per[series], most, scale.checked)}%`;
    return [
      h("td", {class: "bars", "aria-hidden": "true"}, bar),
      h("td", {class: "number"}, number(count)),
      h("td", {class: "number muted"}, total ? percent(count / total) : "–"),
    ];
  }

  draw();
  const heads = results.flatMap(({name}) => [
    several ? name : {text: "Bar", hidden: true}, {text: "Shots", number: true}, {text: "Share", number: true},
  ]);
  return h("div", {class: several ? "histogram several" : "histogram"},
    h("div", {class: "tools"},
      h("label", {class: "inline"}, h("span", {}, "Order"), order),
      h("label", {class: "inline"}, h("span", {class: "unseen"}, "Find outcomes"), search),
      h("label", {class: "inline"}, scale, h("span", {}, "Log scale"))),
    table("Outcomes", ["Outcome", ...heads], rows),
    h("div", {class: "actions"}, more, state));
}
