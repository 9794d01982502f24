// The view in which circuits are written and run.

import {ApiError} from "./api.js";
import {afterQuiet, ask, field, fill, h} from "./dom.js";
import {drawing} from "./drawing.js";
import {Editor} from "./editor.js";
import {EXAMPLES} from "./examples.js";
import {RunForm} from "./form.js";
import {JobPanel} from "./jobpanel.js";
import {planView, sizeOf} from "./plan.js";
import {EntryError, requestOf} from "./request.js";
import {copies} from "./snippets.js";

/** @typedef {import("./main.js").App} App */

const DRAFT = "quantcloud.draft";
const QUIET_MILLISECONDS = 1000;
// The requests in a minute that drawings leave for the rest.
const KEPT_REQUESTS = 6;

/** There is one for the whole page, so that a draft and its run stay while other views are shown. */
export class RunView {
  title = "Run";
  #editor = new Editor(() => this.#edited(), () => this.#run());
  #form = new RunForm();
  #example = h("select", {onchange: () => this.#openExample()},
    h("option", {value: ""}, "Choose…"), EXAMPLES.map(({name}, i) => h("option", {value: i}, name)));
  #size = h("p", {class: "muted", role: "status"});
  #picture = h("div", {class: "picture scroll", role: "region", "aria-label": "Drawing of the circuit", tabindex: "0"});
  #run_ = h("button", {type: "button", class: "primary", onclick: () => this.#run(), title: "Ctrl+Enter"}, "Run");
  #plan_ = h("button", {type: "button", class: "quiet", onclick: () => this.#plan()}, "Plan");
  #problem = h("p", {class: "problem", role: "alert", hidden: true});
  #outdated = h("p", {class: "problem earlier", role: "status"}, "From an earlier request. The last one did not succeed.");
  #output = h("section", {class: "card output", "aria-label": "Result", hidden: true});
  #drawLater = afterQuiet(() => this.#draw(), QUIET_MILLISECONDS);
  /** @type {JobPanel | null} */
  #panel = null;
  #drawn = "";
  // The circuit whose drawing is on its way.
  /** @type {string | null} */
  #asked = null;
  #isBusy = false;
  #again = afterQuiet(() => this.#draw(), 0);
  /** @type {{id: string, name: string} | null} */
  #saved = null;

  element = h("div", {class: "run"},
    h("h1", {class: "unseen", tabindex: "-1"}, "Run a circuit"),
    h("section", {class: "card circuit", "aria-label": "Circuit"},
      h("div", {class: "tools"},
        h("label", {class: "inline"}, h("span", {}, "Example"), this.#example),
        h("span", {class: "spring"}),
        h("button", {type: "button", class: "quiet small", onclick: () => this.#save()}, "Save…")),
      this.#editor.element, this.#size),
    h("section", {class: "card settings", "aria-label": "Settings"},
      this.#form.element,
      h("div", {class: "actions"}, this.#run_, this.#plan_, h("span", {class: "spring"}), h("div", {class: "copies"}, copies(() => this.#request() ?? {qasm: this.#editor.text}))),
      this.#problem),
    h("section", {class: "card drawing", "aria-label": "Drawing"}, this.#picture),
    this.#output);

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.#editor.text = draft() ?? EXAMPLES[0].qasm;
    this.#form.look(this.#editor.text);
    app.feed.addEventListener("state", () => { if (app.feed.state === "live") this.#draw(); });
  }

  /** Called each time that the view is shown. */
  shown() {
    this.#draw();
    this.app.api.call("GET", "/v1/backends", {anonymous: true}).then(({backends}) => this.#form.offer(backends), () => {});
  }

  /**
   * Opens a circuit in the editor.
   * @param {string} qasm
   * @param {{id: string, name: string} | null} [saved]
   */
  open(qasm, saved = null) {
    this.#saved = saved;
    this.#editor.text = qasm;
    this.#example.value = "";
    this.#edited();
    this.#drawLater.never();
    this.#draw();
  }

  /** Called when the user signs out. */
  close() {
    this.#drawLater.never();
    this.#again.never();
    this.#panel?.close();
    keepDraft("");
  }

  #openExample() {
    const example = EXAMPLES[Number(this.#example.value)];
    if (this.#example.value === "" || !example) return;
    const chosen = this.#example.value;
    this.#form.fill(example);
    this.open(example.qasm);
    this.#example.value = chosen;
  }

  #edited() {
    keepDraft(this.#editor.text);
    this.#form.look(this.#editor.text);
    this.#picture.classList.toggle("stale", this.#editor.text !== this.#drawn);
    this.#drawLater.later();
  }

  async #draw() {
    const qasm = this.#editor.text;
    if (qasm === this.#drawn || qasm === this.#asked || !this.app.session.secret) return;
    if (!qasm.trim()) {
      this.#editor.clearProblem();
      fill(this.#picture);
      this.#size.textContent = "";
      this.#drawn = qasm;
      return;
    }
    const {limit, left} = this.app.api;
    if (left <= KEPT_REQUESTS && limit) {
      this.#size.textContent = "Few requests are left in this minute, so the drawing waits.";
      this.#again.later(Math.max(1000, limit.reset * 1000 - Date.now() + 500));
      return;
    }
    this.#asked = qasm;
    try {
      const answer = await this.app.api.post("/v1/circuits/draw", {qasm});
      if (this.#asked !== qasm) return;
      this.#drawn = qasm;
      this.#editor.clearProblem();
      this.#size.textContent = sizeOf(answer.analysis);
      this.#picture.classList.remove("stale");
      fill(this.#picture, drawing(answer.svg));
    } catch (error) {
      if (this.#asked !== qasm) return;
      if (!this.#refused(error, qasm)) {
        this.#size.textContent = error instanceof ApiError && error.status !== 401 ? `Not drawn: ${error.message}` : "";
      }
      if (error instanceof ApiError && error.retryAfter) this.#again.later(error.retryAfter * 1000);
    } finally {
      if (this.#asked === qasm) this.#asked = null;
    }
  }

  /** @param {unknown} error @param {string} qasm Shows at the editor what is wrong with the circuit's text. */
  #refused(error, qasm) {
    if (error instanceof ApiError && error.metadata.line && this.#editor.text === qasm) {
      this.#drawn = qasm;
      const said = error.message.replace(/^(circuit_)?qasm: line \d+, column \d+: /, "");
      this.#editor.showProblem(said, Number(error.metadata.line), Number(error.metadata.column));
      this.#size.textContent = "";
      return true;
    }
    if (error instanceof ApiError && error.field === "qasm") {
      this.#drawn = qasm;
      this.#editor.showProblem(error.message.replace(/^qasm: /, ""));
      return true;
    }
    return false;
  }

  /** @returns {any} The request, or null after showing what is wrong with it. */
  #request() {
    this.#say("");
    try {
      return requestOf(this.#form.entries(this.#editor.text));
    } catch (error) {
      this.#say(error instanceof EntryError ? `${error.message}.` : String(error));
      return null;
    }
  }

  async #run() {
    if (this.#isBusy) return;
    const request = this.#request();
    if (!request) return this.#markOutdated();
    this.#drawLater.never();
    await this.#busy(async () => {
      const key = Array.from(crypto.getRandomValues(new Uint32Array(4)), (each) => each.toString(36)).join("-");
      const job = await this.#sent(() => this.app.api.post("/v1/circuits/run", request, {headers: {"Idempotency-Key": key}}));
      this.#editor.clearProblem();
      this.#panel?.close();
      this.#panel = new JobPanel(this.app, job.job_id, {circuit: request});
      this.#show(h("h2", {}, "Run ", h("a", {href: `#/jobs/${job.job_id}`, class: "small"}, "details")), this.#panel.element);
    });
  }

  // A submission whose answer was lost is sent once more. With its key it makes no second job.
  /** @param {() => Promise<any>} send */
  async #sent(send) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 0) throw error;
      return send();
    }
  }

  async #plan() {
    if (this.#isBusy) return;
    const request = this.#request();
    if (!request) return this.#markOutdated();
    await this.#busy(async () => {
      const plan = await this.app.api.post("/v1/circuits/plan", request);
      this.#editor.clearProblem();
      this.#show(h("h2", {}, "Plan"), planView(plan));
    });
  }

  // A button that is `disabled` would lose the keyboard's focus.
  /** @param {boolean} is */
  #setBusy(is) {
    this.#isBusy = is;
    for (const button of [this.#run_, this.#plan_]) button.setAttribute("aria-disabled", String(is));
  }

  /** @param {() => Promise<void>} work */
  async #busy(work) {
    const qasm = this.#editor.text;
    this.#setBusy(true);
    try {
      await work();
    } catch (error) {
      this.#markOutdated();
      if (!this.#refused(error, qasm)) this.#say(this.app.explain(error));
    } finally {
      this.#setBusy(false);
      this.#draw();
    }
  }

  /** @param {...Node} children */
  #show(...children) {
    fill(this.#output, ...children);
    this.#output.hidden = false;
    if (this.#output.getBoundingClientRect().top > innerHeight * 0.8) this.#output.scrollIntoView({block: "nearest"});
  }

  // A job that still runs goes on being shown.
  #markOutdated() {
    this.#output.prepend(this.#outdated);
  }

  /** @param {string} text */
  #say(text) {
    this.#problem.textContent = text;
    this.#problem.hidden = !text;
  }

  async #save() {
    const name = h("input", {type: "text", maxlength: "200", required: true, value: this.#saved?.name ?? "", autocomplete: "off"});
    const given = await ask("Save the circuit", [field("Name", name)], "Save", () => name.value);
    if (given === null) return;
    try {
      const body = {name: given, qasm: this.#editor.text};
      const same = this.#saved?.name === given ? this.#saved : null;
      this.#saved = same ? await this.app.api.call("PUT", `/v1/circuits/${same.id}`, {body}) : await this.app.api.post("/v1/circuits", body);
      this.app.say(`“${given}” is saved.`);
    } catch (error) {
      this.app.tell(error);
    }
  }
}

function draft() {
  try {
    return sessionStorage.getItem(DRAFT);
  } catch {
    return null;
  }
}

/** @param {string} text */
function keepDraft(text) {
  try {
    if (text) sessionStorage.setItem(DRAFT, text);
    else sessionStorage.removeItem(DRAFT);
  } catch {
    // Storage is full or blocked: the draft lives as long as the page.
  }
}
