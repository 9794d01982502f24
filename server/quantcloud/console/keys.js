// The API keys of the account.

import {ApiError} from "./api.js";
import {confirmed, copyButton, field, fill, h, table} from "./dom.js";
import {moment} from "./format.js";

/** @typedef {import("./main.js").App} App */

export class KeysView {
  title = "API keys";
  #name = h("input", {type: "text", maxlength: "100", required: true, autocomplete: "off"});
  #rows = h("tbody");
  #state = h("p", {class: "muted", role: "status"}, "Reading…");
  #new = h("div", {role: "status"});
  #form = h("form", {class: "tools", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); this.#create(); }},
    field("Name of the new key", this.#name), h("button", {type: "submit", class: "primary"}, "Create"));

  element = h("div", {}, h("h1", {tabindex: "-1"}, "API keys"),
    h("div", {class: "card"},
      h("p", {class: "muted"}, "A key lets a program act for your account. Only your token can make keys."),
      this.#form, this.#new,
      table("API keys", ["Name", "Begins with", "Created", "Last used", {text: "Actions", hidden: true}], this.#rows), this.#state));

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.#read();
  }

  async #read() {
    try {
      const {api_keys: keys} = await this.app.api.get("/v1/auth/api-keys");
      fill(this.#rows, keys.map((/** @type {any} */ key) => h("tr", {},
        h("th", {scope: "row"}, key.name), h("td", {class: "bits"}, `${key.key_prefix}…`), h("td", {}, moment(key.created_at)),
        h("td", {}, key.last_used_at ? moment(key.last_used_at) : "never"),
        h("td", {class: "actions end"}, h("button", {
          type: "button", class: "quiet small", "aria-label": `Revoke ${key.name}`, onclick: () => this.#revoke(key),
        }, "Revoke")))));
      this.#state.textContent = keys.length ? "" : "No keys yet.";
    } catch (error) {
      const byKey = error instanceof ApiError && error.status === 403;
      this.#form.hidden = byKey;
      this.#state.textContent = byKey ? "You signed in with an API key, and keys cannot manage keys. Sign in with a token for that." : this.app.explain(error);
    }
  }

  async #create() {
    try {
      const {key, name} = await this.app.api.post("/v1/auth/api-keys", {name: this.#name.value});
      this.#name.value = "";
      fill(this.#new, h("div", {class: "notice"}, h("p", {}, `The key “${name}”. Copy it now: nobody can show it again.`),
        h("div", {class: "actions"}, h("code", {class: "secret"}, key), copyButton("Copy", () => key),
          h("button", {type: "button", class: "quiet small", onclick: () => fill(this.#new)}, "Done"))));
      await this.#read();
    } catch (error) {
      this.app.tell(error);
    }
  }

  /** @param {any} key */
  async #revoke(key) {
    if (!await confirmed(`Revoke “${key.name}”?`, "Revoke", "Programs that use it are refused from then on.")) return;
    try {
      await this.app.api.call("DELETE", `/v1/auth/api-keys/${key.id}`);
      await this.#read();
    } catch (error) {
      this.app.tell(error);
    }
  }
}
