// Curves of a sweep: each observable's expectation value at each point.

import {h, table} from "./dom.js";
import {counted, number, short} from "./format.js";
import {histogram} from "./histogram.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [720, 300];
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 12, 12, 34];
const CURVES = 8;
const ROWS = 500;

/**
 * Round numbers from `low` to `high`.
 * @param {number} low
 * @param {number} high
 * @param {number} [most]
 */
export function ticks(low, high, most = 6) {
  if (!(high > low)) return [low];
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) found.push(Number((i * step).toPrecision(12)));
  return found;
}

/**
 * The axis of a sweep: the values of the only input that varies, or else the points' numbers.
 * @param {Record<string, {values: number[]}>} parameters
 * @param {number} offset
 * @param {number} count
 * @param {number} total
 */
export function axis(parameters, offset, count, total) {
  const varying = Object.entries(parameters).filter(([, {values}]) => total > 1 && values?.length === total);
  if (varying.length >= 1) {
    const [name, {values}] = varying[0];
    return {name, values: values.slice(offset, offset + count)};
  }
  return {name: "point", values: Array.from({length: count}, (_, i) => offset + i)};
}

/** @param {string} name @param {Record<string, any>} attributes @param {...any} children */
function s(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** @param {any} sweep @param {Record<string, {values: number[]}>} parameters */
export function curves(sweep, parameters) {
  const {points} = sweep;
  if (!points?.length) return h("p", {class: "muted"}, "No point is done.");
  const x = axis(parameters, sweep.point_offset, points.length, sweep.points_total);
  const observables = points[0].expectation_values?.length ?? 0;
  if (!observables) return pointCounts(points, x);
  const names = Array.from({length: observables}, (_, i) => (observables === 1 ? "Expectation value" : `Observable ${i + 1}`));
  return h("div", {},
    chart(points, x, names.slice(0, CURVES)),
    observables > CURVES && h("p", {class: "muted"}, `The first ${CURVES} of ${counted(observables, "observable")} are drawn.`),
    points.length < sweep.points_done && h("p", {class: "muted"}, `${number(points.length)} of ${counted(sweep.points_done, "point")} are shown.`),
    h("details", {}, h("summary", {}, "Values"), table("Values", [x.name, ...names.slice(0, CURVES).map((text) => ({text, number: true}))],
      h("tbody", {}, points.slice(0, ROWS).map((/** @type {any} */ point, /** @type {number} */ i) => h("tr", {},
        h("th", {scope: "row", class: "bits"}, short(x.values[i])),
        names.slice(0, CURVES).map((_, k) => h("td", {class: "number"}, value(point, k)))))))));
}

/** @param {any} point @param {number} k */
function value(point, k) {
  const error = point.standard_errors?.[k];
  return `${point.expectation_values[k].toFixed(6).replace("-", "−")}${error ? ` ± ${short(error)}` : ""}`;
}

/** @param {any[]} points @param {{name: string, values: number[]}} x @param {string[]} names */
function chart(points, x, names) {
  const values = points.flatMap((point) => point.expectation_values.slice(0, names.length));
  let [low, high] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
  const margin = (high - low) * 0.06 || 0.5;
  [low, high] = [low - margin, high + margin];
  const [from, to] = [x.values.reduce((a, b) => Math.min(a, b)), x.values.reduce((a, b) => Math.max(a, b))];
  const px = (/** @type {number} */ v) => (to > from ? LEFT + (v - from) / (to - from) * (WIDTH - LEFT - RIGHT) : (WIDTH + LEFT) / 2);
  const py = (/** @type {number} */ v) => TOP + (high - v) / (high - low) * (HEIGHT - TOP - BOTTOM);
  const lowest = names.map((_, k) => Math.min(...points.map((point) => point.expectation_values[k])));
  const said = names.map((name, k) => `${name}: lowest ${short(lowest[k])}`).join("; ").replaceAll("-", "−");
  const svg = s("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": `Expectation values against ${x.name}. ${said}.`});
  for (const tick of ticks(low, high, 5)) {
    svg.append(s("path", {class: "grid", d: `M${LEFT} ${py(tick)}H${WIDTH - RIGHT}`}),
      s("text", {x: LEFT - 8, y: py(tick) + 4, "text-anchor": "end"}, short(tick)));
  }
  for (const tick of ticks(from, to, 8)) {
    svg.append(s("text", {x: px(tick), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle"}, short(tick)));
  }
  svg.append(s("text", {x: (WIDTH + LEFT) / 2, y: HEIGHT - 2, "text-anchor": "middle", class: "name"}, x.name));
  const order = x.values.map((_, i) => i).sort((a, b) => x.values[a] - x.values[b]);
  names.forEach((_, k) => {
    const places = order.map((i) => [px(x.values[i]), py(points[i].expectation_values[k])]);
    svg.append(s("path", {class: `curve series-${k}`, d: `M${places.map((each) => each.map((v) => v.toFixed(1)).join(" ")).join("L")}`}));
    if (places.length <= 120) for (const [cx, cy] of places) svg.append(s("circle", {class: `dot series-${k}`, cx, cy, r: 2.5}));
  });
  return h("figure", {}, svg, h("figcaption", {class: "legend"}, names.map((name, k) => h("span", {},
    h("span", {class: `swatch series-${k}`}), `${name}, lowest ${short(lowest[k]).replace("-", "−")}`))));
}

/** @param {any[]} points @param {{name: string, values: number[]}} x */
function pointCounts(points, x) {
  const place = h("div");
  const choice = h("select", {onchange: draw}, points.map((_, i) => h("option", {value: i}, `${x.name} = ${short(x.values[i])}`)));
  function draw() {
    place.replaceChildren(histogram([{name: "Shots", counts: points[Number(choice.value)].counts ?? {}}]));
  }
  draw();
  return h("div", {}, h("label", {class: "inline"}, h("span", {}, "Point"), choice), place);
}
