// The amplitudes of a result, as a table.

import {fill, h, table} from "./dom.js";
import {counted, number, short} from "./format.js";

const FIRST = 64;
const SMALLEST = 1e-12;

/**
 * The amplitudes that are not zero: the basis state, the amplitude, its probability and its phase.
 * @param {{real: number[], imag: number[]}} state
 */
export function amplitudes(state) {
  const qubits = Math.round(Math.log2(state.real.length));
  const found = [];
  for (let i = 0; i < state.real.length; i += 1) {
    const [real, imag] = [state.real[i], state.imag[i]];
    const probability = real * real + imag * imag;
    if (probability > SMALLEST) {
      found.push({basis: i.toString(2).padStart(qubits, "0"), real, imag, probability, phase: Math.atan2(imag, real)});
    }
  }
  return found;
}

/** @param {number} real @param {number} imag */
export function complex(real, imag) {
  const text = (/** @type {number} */ value) => (Math.abs(value) < 5e-7 ? 0 : value).toFixed(5).replace("-", "−");
  return `${text(real)} ${imag < -5e-7 ? "−" : "+"} ${text(Math.abs(imag))}i`;
}

/** @param {{real: number[], imag: number[]}} state */
export function statevector(state) {
  const found = amplitudes(state);
  let shown = FIRST;
  const rows = h("tbody");
  const more = h("button", {type: "button", class: "quiet", onclick: () => { shown *= 4; draw(); }}, "Show more");

  function draw() {
    fill(rows, found.slice(0, shown).map(({basis, real, imag, probability, phase}) => {
      const bar = h("span", {class: "bar series-0"});
      bar.style.inlineSize = `${100 * probability}%`;
      return h("tr", {},
        h("th", {scope: "row", class: "bits"}, `|${basis}⟩`),
        h("td", {class: "number"}, complex(real, imag)),
        h("td", {class: "bars", "aria-hidden": "true"}, bar),
        h("td", {class: "number"}, short(probability)),
        h("td", {class: "number muted"}, `${short(phase / Math.PI)}π`));
    }));
    more.hidden = found.length <= shown;
  }

  draw();
  return h("div", {},
    h("p", {class: "muted"}, `${counted(found.length, "amplitude")} of ${number(state.real.length)} are not zero.`),
    table("Statevector", ["State", {text: "Amplitude", number: true}, {text: "Bar", hidden: true},
      {text: "Probability", number: true}, {text: "Phase", number: true}], rows),
    h("div", {class: "actions"}, more));
}
