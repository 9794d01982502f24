// What a run may ask for, besides its circuit.

import {field, fill, h} from "./dom.js";
import {inputsOf} from "./request.js";

const TARGETS = [["balanced", "Balanced"], ["speed", "Speed"], ["accuracy", "Accuracy"], ["cost", "Cost"]];

export class RunForm {
  #backend = h("select", {onchange: () => this.#choose()}, h("option", {value: ""}, "Automatic"));
  #controls = {
    shots: text("number", {min: "1", step: "1", value: "1024"}),
    backend: this.#backend,
    optimizeFor: h("select", {}, TARGETS.map(([value, name]) => h("option", {value}, name))),
    name: text("text", {maxlength: "128"}),
    tags: text("text"),
    seed: text("text", {inputmode: "numeric"}),
    timeout: decimal(), maxCost: decimal(), minFidelity: decimal(),
    statevector: check(), memory: check(),
    depolarizing1q: decimal(), depolarizing2q: decimal(), readout: decimal(),
    parameters: h("textarea", {rows: 2, spellcheck: "false", class: "lines"}),
    observables: h("textarea", {rows: 5, spellcheck: "false", class: "lines"}),
    precision: decimal(), gradient: check(),
  };
  #inputs = h("p", {class: "muted", hidden: true});
  #targetField = field("Optimize for", this.#controls.optimizeFor);
  #sweep = h("details", {class: "more"}, h("summary", {}, "Parameters and observables"),
    this.#inputs,
    field("Parameters", this.#controls.parameters, "One input a line: theta = 0, pi/2, pi. Or from : to : points, as in theta = 0 : pi : 21."),
    field("Observables", this.#controls.observables, "One term a line: 0.5 ZZ, or -1 Z0 Z3. Qubit 0 is rightmost. An empty line starts another."),
    h("div", {class: "grid"}, field("Standard error", this.#controls.precision, "In place of shots."), tick("Gradients", this.#controls.gradient)));

  element = h("div", {class: "form"},
    h("div", {class: "grid"},
      field("Shots", this.#controls.shots), field("Backend", this.#backend), this.#targetField),
    this.#sweep,
    h("details", {class: "more"}, h("summary", {}, "More options"),
      h("div", {class: "grid"},
        field("Name", this.#controls.name), field("Tags", this.#controls.tags, "With commas between them."),
        field("Seed", this.#controls.seed), field("Time limit in seconds", this.#controls.timeout),
        field("Highest cost in dollars", this.#controls.maxCost), field("Lowest fidelity, 0 to 1", this.#controls.minFidelity)),
      h("fieldset", {}, h("legend", {}, "Noise: probabilities from 0 to 1"),
        h("div", {class: "grid"}, field("1-qubit gates", this.#controls.depolarizing1q), field("2-qubit gates", this.#controls.depolarizing2q), field("Readout", this.#controls.readout))),
      h("div", {class: "ticks"}, tick("Return the statevector", this.#controls.statevector), tick("Return each shot", this.#controls.memory))));

  /** @param {any[]} backends */
  offer(backends) {
    const chosen = this.#backend.value;
    fill(this.#backend, h("option", {value: ""}, "Automatic"), backends.map(({name, status}) => (
      h("option", {value: name, disabled: status !== "online"}, status === "online" ? name : `${name} (${status})`))));
    this.#backend.value = chosen;
    this.#choose();
  }

  #choose() {
    this.#targetField.hidden = this.#backend.value !== "";
  }

  /** Tells which inputs the circuit has. @param {string} qasm */
  look(qasm) {
    const inputs = inputsOf(qasm);
    this.#inputs.hidden = !inputs.length;
    this.#inputs.textContent = `The circuit's ${inputs.length === 1 ? "input" : "inputs"}: ${inputs.join(", ")}.`;
    if (inputs.length) this.#sweep.open = true;
  }

  /** @param {{parameters?: string, observables?: string}} example */
  fill({parameters = "", observables = ""}) {
    this.#controls.parameters.value = parameters;
    this.#controls.observables.value = observables;
    this.#controls.shots.value = observables ? "" : this.#controls.shots.value || "1024";
    this.#sweep.open = Boolean(parameters || observables);
  }

  /** @param {string} qasm @returns {import("./request.js").Entries} */
  entries(qasm) {
    const given = Object.entries(this.#controls).map(([name, control]) => (
      [name, "checked" in control && control.type === "checkbox" ? control.checked : control.value]));
    return {qasm, ...Object.fromEntries(given)};
  }
}

/** @param {string} type @param {Record<string, any>} [properties] */
function text(type, properties = {}) {
  return h("input", {type, autocomplete: "off", ...properties});
}

function decimal() {
  return text("text", {inputmode: "decimal"});
}

function check() {
  return h("input", {type: "checkbox"});
}

/** @param {string} label @param {HTMLInputElement} control */
function tick(label, control) {
  return h("label", {class: "inline"}, control, h("span", {}, label));
}
