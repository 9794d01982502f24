// Two results side by side.

import {fill, h} from "./dom.js";
import {jobName, number} from "./format.js";
import {histogram} from "./histogram.js";
import {difference} from "./outcomes.js";

/** @typedef {import("./main.js").App} App */

export class CompareView {
  title = "Compare";
  #place = h("section", {class: "card", "aria-label": "Comparison"}, h("p", {class: "muted"}, "Reading…"));

  element = h("div", {}, h("p", {class: "back"}, h("a", {href: "#/jobs"}, "← Jobs")),
    h("h1", {tabindex: "-1"}, "Two results"), this.#place);

  /** @param {App} app @param {string[]} ids */
  constructor(app, ids) {
    this.app = app;
    this.#read(ids);
  }

  /** @param {string[]} ids */
  async #read(ids) {
    try {
      const found = await Promise.all(ids.map(async (id) => {
        const [job, result] = await Promise.all([this.app.api.get(`/v1/jobs/${id}`), this.app.api.get(`/v1/jobs/${id}/result`)]);
        return {job, result};
      }));
      const results = found.map(({job, result}) => ({name: jobName(job), counts: result.counts}));
      fill(this.#place,
        h("ul", {class: "legend"}, found.map(({job, result}, i) => h("li", {}, h("span", {class: `swatch series-${i}`}),
          h("a", {href: `#/jobs/${job.job_id}`}, jobName(job)), ` ${result.backend}, ${number(job.shots)} shots`))),
        h("p", {}, "Total variation distance: ", h("strong", {}, difference(results[0].counts, results[1].counts).toFixed(4)),
          h("span", {class: "muted"}, " (0: equal shares, 1: nothing in common)")),
        histogram(results),
        found.some(({result}) => result.sweep) && h("p", {class: "muted"}, "The result of a sweep has no counts to compare."));
    } catch (error) {
      fill(this.#place, h("p", {class: "problem"}, this.app.explain(error)));
    }
  }
}
