// The page: its views, its header, and what holds them together.

import {Api, ApiError} from "./api.js";
import {BackendsView} from "./backends.js";
import {CircuitsView} from "./circuits.js";
import {CompareView} from "./compare.js";
import {fill, h} from "./dom.js";
import {Feed} from "./feed.js";
import {JobView} from "./job.js";
import {JobsView} from "./jobs.js";
import {KeysView} from "./keys.js";
import {RunView} from "./run.js";
import {Session} from "./session.js";
import {signInAgain, signInByLink, signInPage} from "./signin.js";
import {UsageView} from "./usage.js";

/** @typedef {{title: string, element: HTMLElement, close?: () => void, shown?: () => void}} View */

const PAGES = [["run", "Run"], ["jobs", "Jobs"], ["circuits", "Circuits"], ["keys", "Keys"], ["usage", "Usage"], ["backends", "Backends"]];
// What may stand in the path of a call.
const ID = /^[\w-]+$/;
const STATES = {off: "Not connected", connecting: "Connecting…", live: "Live", waiting: "Connection lost, trying again…"};

export class App {
  session = new Session();
  api = new Api(this.session);
  feed = new Feed(this.api);
  #main = byId("main");
  #header = byId("header");
  #notices = byId("notices");
  #state = h("span", {class: "state", role: "status"});
  #links = PAGES.map(([path, name]) => h("a", {href: `#/${path}`}, name));
  /** @type {View | null} */
  #view = null;
  /** @type {RunView | null} */
  #run = null;
  #asking = false;

  async start() {
    const why = await signInByLink(this.session);
    this.session.addEventListener("change", () => this.#enter());
    this.api.addEventListener("refused", (event) => this.#refused(/** @type {CustomEvent} */ (event).detail));
    this.feed.addEventListener("state", () => this.#showState());
    addEventListener("hashchange", () => this.#route(true));
    document.querySelector(".skip")?.addEventListener("click", (event) => {
      event.preventDefault();
      this.#main.focus();
    });
    this.#enter(why);
  }

  /** Says something that passes. @param {string} text @param {string} [kind] */
  say(text, kind = "") {
    const notice = h("div", {class: `notice ${kind}`}, h("p", {}, text), h("button", {
      type: "button", class: "quiet small", "aria-label": "Close this message", onclick: () => notice.remove(),
    }, "×"));
    this.#notices.append(notice);
    while (this.#notices.children.length > 3) this.#notices.firstElementChild?.remove();
    if (!kind) setTimeout(() => notice.remove(), 4000);
  }

  /** Shows an error. @param {unknown} error */
  tell(error) {
    if (error instanceof ApiError && error.status === 401) return;
    this.say(this.explain(error), "wrong");
  }

  /** @param {unknown} error @returns {string} */
  explain(error) {
    if (!(error instanceof ApiError)) return String(error);
    if (error.status === 429 && error.retryAfter) return `${error.message.replace(/\.?$/, ".")} Try again in ${error.retryAfter} s.`;
    return error.message.replace(/([^.!?])$/, "$1.");
  }

  /** Opens a circuit in the editor. @param {string} qasm @param {{id: string, name: string} | null} [saved] */
  edit(qasm, saved = null) {
    this.#runView().open(qasm, saved);
    location.hash = "#/run";
  }

  #runView() {
    return this.#run ??= new RunView(this);
  }

  // After signing in or out, and at the start.
  #enter(why = "") {
    this.#asking = false;
    if (this.session.secret) {
      this.feed.start();
      this.#drawHeader();
      this.#route(false);
      return;
    }
    this.feed.stop();
    this.#leave();
    this.#run?.close();
    this.#run = null;
    this.#drawHeader();
    this.#show({title: "Sign in", element: signInPage(this.session, why)}, false);
  }

  /** @param {ApiError} error */
  #refused(error) {
    if (this.#asking) return;
    this.#asking = true;
    this.feed.stop();
    signInAgain(this.session, this.explain(error));
  }

  /** @param {boolean} focus Whether the user went to another view. */
  #route(focus) {
    if (!this.session.secret) return;
    const [page = "run", ...rest] = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean);
    if (this.#view === this.#run && this.#run && page === "run") {
      this.#run.shown();
      return;
    }
    this.#leave();
    this.#show(this.#make(page, rest), focus);
    this.#links.forEach((link, i) => {
      const current = PAGES[i][0] === (page === "compare" ? "jobs" : page);
      if (current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
  }

  /** @param {string} page @param {string[]} rest @returns {View} */
  #make(page, rest) {
    if (!rest.every((each) => ID.test(each))) return new JobsView(this);
    if (page === "jobs") return rest[0] ? new JobView(this, rest[0]) : new JobsView(this);
    if (page === "compare" && rest.length === 2) return new CompareView(this, rest);
    if (page === "circuits") return new CircuitsView(this);
    if (page === "keys") return new KeysView(this);
    if (page === "usage") return new UsageView(this);
    if (page === "backends") return new BackendsView(this);
    return this.#runView();
  }

  #leave() {
    if (this.#view !== this.#run) this.#view?.close?.();
    this.#view = null;
  }

  /** @param {View} view @param {boolean} focus */
  #show(view, focus) {
    this.#view = view;
    document.title = `${view.title} – TheQuantCloud`;
    fill(this.#main, view.element);
    view.shown?.();
    if (focus) {
      scrollTo(0, 0);
      view.element.querySelector("h1")?.focus({preventScroll: true});
    }
  }

  #drawHeader() {
    const theme = h("button", {type: "button", class: "quiet small", onclick: () => switchTheme()}, "Theme");
    fill(this.#header,
      h("a", {class: "brand", href: "#/run"}, h("span", {class: "mark", "aria-hidden": "true"}), h("span", {}, "TheQuantCloud")),
      this.session.secret ? h("nav", {"aria-label": "Views"}, this.#links) : h("span", {class: "spring"}),
      h("div", {class: "corner"}, this.session.secret && this.#state,
        h("a", {href: "/docs", class: "small"}, "API"), theme,
        this.session.secret && h("button", {type: "button", class: "quiet small", onclick: () => this.session.signOut()}, "Sign out")));
    this.#showState();
  }

  #showState() {
    const {state, error} = this.feed;
    this.#state.className = `state is-${state}`;
    this.#state.textContent = STATES[state];
    this.#state.title = error?.message ?? "";
  }
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("quantcloud.theme", root.dataset.theme);
  } catch {
    // Storage is blocked: the theme lives as long as the page.
  }
}

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

new App().start();
