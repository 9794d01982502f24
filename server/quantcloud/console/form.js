// What a run may ask for, besides its circuit.

import {field, fill, h} from "./dom.js";
import {inputsOf} from "./request.js";

const TARGETS = [["balanced", "Balanced"], ["speed", "Speed"], ["accuracy", "Accuracy"], ["cost", "Cost"]];

export class RunForm {
  #shots = text("number", {min: "1", step: "1", value: "1024"});
  #backend = h("select", {onchange: () => this.#choose()}, h("option", {value: ""}, "Automatic"));
  #target = h("select", {}, TARGETS.map(([value, name]) => h("option", {value}, name)));
  #name = text("text", {maxlength: "128"});
  #tags = text("text");
  #seed = text("text", {inputmode: "numeric"});
  #timeout = text("text", {inputmode: "decimal"});
  #cost = text("text", {inputmode: "decimal"});
  #fidelity = text("text", {inputmode: "decimal"});
  #statevector = check();
  #memory = check();
  #noise1 = text("text", {inputmode: "decimal"});
  #noise2 = text("text", {inputmode: "decimal"});
  #readout = text("text", {inputmode: "decimal"});
  #parameters = h("textarea", {rows: 2, spellcheck: "false", class: "lines"});
  #observables = h("textarea", {rows: 5, spellcheck: "false", class: "lines"});
  #precision = text("text", {inputmode: "decimal"});
  #gradient = check();
  #inputs = h("p", {class: "muted", hidden: true});
  #targetField = field("Optimize for", this.#target);
  #sweep = h("details", {class: "more"}, h("summary", {}, "Parameters and observables"),
    this.#inputs,
    field("Parameters", this.#parameters, "One input a line: theta = 0, pi/2, pi. Or from : to : points, as in theta = 0 : pi : 21."),
    field("Observables", this.#observables, "One term a line: 0.5 ZZ, or -1 Z0 Z3. Qubit 0 is rightmost. An empty line starts another."),
    h("div", {class: "grid"}, field("Standard error", this.#precision, "In place of shots."), tick("Gradients", this.#gradient)));

  element = h("div", {class: "form"},
    h("div", {class: "grid"},
      field("Shots", this.#shots), field("Backend", this.#backend), this.#targetField),
    this.#sweep,
    h("details", {class: "more"}, h("summary", {}, "More options"),
      h("div", {class: "grid"},
        field("Name", this.#name), field("Tags", this.#tags, "With commas between them."),
        field("Seed", this.#seed), field("Time limit in seconds", this.#timeout),
        field("Highest cost in dollars", this.#cost), field("Lowest fidelity, 0 to 1", this.#fidelity)),
      h("fieldset", {}, h("legend", {}, "Noise: probabilities from 0 to 1"),
        h("div", {class: "grid"}, field("1-qubit gates", this.#noise1), field("2-qubit gates", this.#noise2), field("Readout", this.#readout))),
      h("div", {class: "ticks"}, tick("Return the statevector", this.#statevector), tick("Return each shot", this.#memory))));

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
    this.#parameters.value = parameters;
    this.#observables.value = observables;
    this.#shots.value = observables ? "" : this.#shots.value || "1024";
    this.#sweep.open = Boolean(parameters || observables);
  }

  /** @param {string} qasm @returns {import("./request.js").Entries} */
  entries(qasm) {
    return {
      qasm,
      shots: this.#shots.value, backend: this.#backend.value, optimizeFor: this.#target.value,
      name: this.#name.value, tags: this.#tags.value, seed: this.#seed.value, timeout: this.#timeout.value,
      maxCost: this.#cost.value, minFidelity: this.#fidelity.value,
      statevector: this.#statevector.checked, memory: this.#memory.checked,
      depolarizing1q: this.#noise1.value, depolarizing2q: this.#noise2.value, readout: this.#readout.value,
      parameters: this.#parameters.value, observables: this.#observables.value,
      precision: this.#precision.value, gradient: this.#gradient.checked,
    };
  }
}

/** @param {string} type @param {Record<string, any>} [properties] */
function text(type, properties = {}) {
  return h("input", {type, autocomplete: "off", ...properties});
}

function check() {
  return h("input", {type: "checkbox"});
}

/** @param {string} label @param {HTMLInputElement} control */
function tick(label, control) {
  return h("label", {class: "inline"}, control, h("span", {}, label));
}
