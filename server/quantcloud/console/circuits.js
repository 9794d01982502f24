// The saved circuits.

import {ask, confirmed, field, fill, h, table} from "./dom.js";
import {counted, moment, number} from "./format.js";

/** @typedef {import("./main.js").App} App */

export class CircuitsView {
  title = "Circuits";
  #rows = h("tbody");
  #state = h("p", {class: "muted", role: "status"}, "Reading…");
  #more = h("button", {type: "button", class: "quiet", hidden: true, onclick: () => this.#read(this.#token)}, "Show more");
  #token = "";
  /** @type {any[]} */
  #circuits = [];

  element = h("div", {}, h("h1", {tabindex: "-1"}, "Circuits"),
    h("div", {class: "card"},
      table("Saved circuits", ["Name", {text: "Qubits", number: true}, "Changed", {text: "Actions", hidden: true}], this.#rows),
      h("div", {class: "actions"}, this.#more, this.#state)));

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.#read();
  }

  async #read(token = "") {
    try {
      const page = await this.app.api.get(`/v1/circuits?limit=50${token && `&page_token=${encodeURIComponent(token)}`}`);
      this.#circuits = token ? [...this.#circuits, ...page.circuits] : page.circuits;
      this.#token = page.next_page_token ?? "";
      this.#draw(page.total);
    } catch (error) {
      this.#state.textContent = this.app.explain(error);
    }
  }

  /** @param {number} total */
  #draw(total) {
    this.#more.hidden = !this.#token;
    this.#state.textContent = total ? counted(total, "circuit") : "No circuits yet. Save one from the editor, and it appears here.";
    fill(this.#rows, this.#circuits.map((circuit) => h("tr", {},
      h("th", {scope: "row"}, circuit.name),
      h("td", {class: "number"}, number(circuit.num_qubits)),
      h("td", {}, moment(circuit.updated_at)),
      h("td", {class: "actions end"},
        circuit.qasm && button("Open", circuit, () => this.app.edit(circuit.qasm, circuit)),
        button("Rename", circuit, () => this.#rename(circuit)),
        button("Delete", circuit, () => this.#delete(circuit))))));
  }

  /** @param {any} circuit */
  async #rename(circuit) {
    const name = h("input", {type: "text", maxlength: "200", required: true, value: circuit.name, autocomplete: "off"});
    const given = await ask("Rename the circuit", [field("Name", name)], "Rename", () => name.value);
    if (given !== null) await this.#change("PUT", circuit, {name: given});
  }

  /** @param {any} circuit */
  async #delete(circuit) {
    if (await confirmed(`Delete “${circuit.name}”?`, "Delete", "It cannot be restored.")) await this.#change("DELETE", circuit);
  }

  /** @param {string} method @param {any} circuit @param {any} [body] */
  async #change(method, circuit, body) {
    try {
      await this.app.api.call(method, `/v1/circuits/${circuit.id}`, {body});
      await this.#read();
    } catch (error) {
      this.app.tell(error);
    }
  }
}

/** @param {string} label @param {any} circuit @param {() => void} onclick */
function button(label, circuit, onclick) {
  return h("button", {type: "button", class: "quiet small", "aria-label": `${label} ${circuit.name}`, onclick}, label);
}
