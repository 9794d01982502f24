// The list of jobs, live.

import {afterQuiet, fill, h, table} from "./dom.js";
import {counted, jobName, moment, number} from "./format.js";
import {took} from "./jobpanel.js";

/** @typedef {import("./main.js").App} App */

const STATUSES = ["submitted", "analyzing", "routing", "queued", "dispatched", "running", "completed", "failed", "timeout", "cancelled"];
const PAGE = 50;
/** @type {{head: string | {text: string, number: boolean}, cell: (job: any) => any}[]} */
const COLUMNS = [
  {head: "Status", cell: ({status}) => h("span", {class: `status is-${status}`}, status)},
  {head: "Backend", cell: ({backend}) => backend ?? "–"},
  {head: {text: "Shots", number: true}, cell: ({shots}) => number(shots)},
  {head: "Submitted", cell: (job) => moment(job.submitted_at)},
  {head: {text: "Run time", number: true}, cell: took},
];

export class JobsView {
  title = "Jobs";
  #status = h("select", {onchange: () => this.#read()}, h("option", {value: ""}, "Any status"), STATUSES.map((each) => h("option", {}, each)));
  #backend = h("input", {type: "text", placeholder: "aer_simulator", autocomplete: "off", oninput: () => this.#later.later()});
  #tag = h("input", {type: "text", autocomplete: "off", oninput: () => this.#later.later()});
  #prefix = h("input", {type: "text", autocomplete: "off", oninput: () => this.#later.later()});
  #later = afterQuiet(() => this.#read(), 600);
  #rows = h("tbody");
  #state = h("p", {class: "muted", role: "status"}, "Reading…");
  #more = h("button", {type: "button", class: "quiet", hidden: true, onclick: () => this.#read(this.#token)}, "Show more");
  #compare = h("button", {type: "button", class: "quiet", disabled: true, onclick: () => this.#open()}, "Compare two");
  /** @type {Map<string, any>} */
  #jobs = new Map();
  /** @type {Map<string, HTMLTableRowElement>} */
  #drawn = new Map();
  /** @type {Set<string>} */
  #chosen = new Set();
  #token = "";
  /** @type {number | null} */
  #total = null;
  #asked = 0;
  #closing = new AbortController();

  element = h("div", {},
    h("h1", {tabindex: "-1"}, "Jobs"),
    h("div", {class: "card"},
      h("div", {class: "tools filters"},
        filter("Status", this.#status), filter("Backend", this.#backend), filter("Tag", this.#tag), filter("Name begins with", this.#prefix),
        h("span", {class: "spring"}), this.#compare),
      table("Jobs", [{text: "Choose", hidden: true}, "Job", ...COLUMNS.map(({head}) => head)], this.#rows),
      h("div", {class: "actions"}, this.#more, this.#state)));

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    const {signal} = this.#closing;
    app.feed.addEventListener("job", (event) => this.#take(/** @type {CustomEvent} */ (event).detail), {signal});
    app.feed.addEventListener("gap", () => this.#read(), {signal});
    this.#read();
  }

  close() {
    this.#later.never();
    this.#closing.abort();
  }

  /** @param {string} [token] The page to read; without one the first page, in place of all. */
  async #read(token = "") {
    const asked = this.#asked += 1;
    const query = new URLSearchParams({limit: String(PAGE)});
    const wanted = {status: this.#status.value, backend: this.#backend.value, tag: this.#tag.value, name_prefix: this.#prefix.value, page_token: token};
    for (const [name, value] of Object.entries(wanted)) if (value.trim()) query.set(name, value);
    try {
      const page = await this.app.api.get(`/v1/jobs?${query}`, this.#closing.signal);
      if (asked !== this.#asked) return;
      if (!token) this.#jobs.clear();
      for (const job of page.jobs) this.#jobs.set(job.job_id, job);
      this.#token = page.next_page_token ?? "";
      this.#total = page.total;
      this.#draw();
    } catch (error) {
      if (!this.#closing.signal.aborted && asked === this.#asked) this.#state.textContent = this.app.explain(error);
    }
  }

  /** @param {any} event */
  #take({job}) {
    const known = this.#jobs.get(job.job_id);
    if (!this.#fits(job)) {
      this.#jobs.delete(job.job_id);
      this.#drawn.get(job.job_id)?.remove();
      return;
    }
    if (!known && this.#total !== null) this.#total += 1;
    this.#jobs.set(job.job_id, job);
    if (known) {
      this.#drawn.get(job.job_id)?.replaceWith(this.#row(job));
      return;
    }
    this.#jobs = new Map([...this.#jobs].sort(([, a], [, b]) => (a.submitted_at < b.submitted_at ? 1 : -1)));
    this.#draw();
  }

  /** @param {any} job */
  #fits(job) {
    return (!this.#status.value || job.status === this.#status.value)
      && (!this.#backend.value || job.backend === this.#backend.value)
      && (!this.#tag.value || job.tags.includes(this.#tag.value))
      && (!this.#prefix.value || (job.name ?? "").startsWith(this.#prefix.value));
  }

  #draw() {
    this.#drawn.clear();
    fill(this.#rows, [...this.#jobs.values()].map((job) => this.#row(job)));
    this.#more.hidden = !this.#token;
    this.#state.textContent = this.#jobs.size ? `${number(this.#jobs.size)} of ${this.#total === null ? "many" : counted(this.#total, "job")}`
      : this.#token ? "None of the newest jobs fits. Older ones may." : "No jobs yet. Run a circuit, and it appears here.";
  }

  /** @param {any} job */
  #row(job) {
    const id = job.job_id;
    const row = h("tr", {},
      h("td", {}, h("input", {
        type: "checkbox", "aria-label": `Choose ${jobName(job)}`, checked: this.#chosen.has(id),
        onchange: (/** @type {any} */ event) => this.#choose(id, event.target.checked),
      })),
      h("th", {scope: "row"}, h("a", {href: `#/jobs/${id}`, class: job.name ? null : "bits"}, jobName(job)),
        job.tags?.map((/** @type {string} */ tag) => h("span", {class: "tag"}, tag))),
      COLUMNS.map(({head, cell}) => h("td", {class: typeof head === "string" ? null : "number"}, cell(job))));
    this.#drawn.set(id, row);
    return row;
  }

  /** @param {string} id @param {boolean} chosen */
  #choose(id, chosen) {
    if (chosen) this.#chosen.add(id);
    else this.#chosen.delete(id);
    this.#compare.disabled = this.#chosen.size !== 2;
  }

  #open() {
    location.hash = `#/compare/${[...this.#chosen].join("/")}`;
  }
}

/** @param {string} label @param {HTMLElement} control */
function filter(label, control) {
  return h("label", {class: "inline"}, h("span", {}, label), control);
}
