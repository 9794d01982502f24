// An editor for OpenQASM: a text area, with colours and line numbers behind it.

import {h, fill} from "./dom.js";
import {tokens} from "./qasm.js";

// Longer texts have no colours, so that typing stays quick.
const COLOURED_LINES = 3000;

export class Editor {
  #area = h("textarea", {
    class: "code", spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off",
    "aria-label": "OpenQASM circuit", "data-gramm": "false",
  });
  #colours = h("div", {class: "colours", "aria-hidden": "true"});
  #numbers = h("div", {class: "numbers", "aria-hidden": "true"});
  #message = h("p", {class: "problem", id: "editor-problem", role: "alert", hidden: true});
  /** @type {{text: string, before: boolean, after: boolean}[]} */
  #lines = [];
  #marked = 0;

  element = h("div", {class: "editor"},
    h("div", {class: "sheet"}, this.#numbers, h("div", {class: "page"}, this.#colours, this.#area)),
    this.#message);

  /** @param {() => void} changed @param {() => void} entered */
  constructor(changed, entered) {
    this.#area.addEventListener("input", () => {
      this.#paint();
      changed();
    });
    this.#area.addEventListener("scroll", () => this.#scroll());
    this.#area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        entered();
      }
    });
  }

  get text() {
    return this.#area.value;
  }

  set text(text) {
    this.#area.value = text;
    this.#area.scrollTop = 0;
    this.clearProblem();
    this.#paint();
  }

  /**
   * Shows what is wrong, at its line if the server named one.
   * @param {string} text
   * @param {number} [line]
   * @param {number} [column]
   */
  showProblem(text, line = 0, column = 1) {
    this.#mark(line);
    this.#area.setAttribute("aria-invalid", "true");
    this.#area.setAttribute("aria-describedby", this.#message.id);
    fill(this.#message, line
      ? h("button", {type: "button", class: "link", onclick: () => this.#go(line, column)}, `Line ${line}, column ${column}`)
      : null, line ? `: ${text}` : text);
    this.#message.hidden = false;
  }

  clearProblem() {
    this.#mark(0);
    this.#area.removeAttribute("aria-invalid");
    this.#area.removeAttribute("aria-describedby");
    this.#message.hidden = true;
  }

  /** @param {number} line @param {number} column */
  #go(line, column) {
    const before = this.text.split("\n").slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    const place = Math.min(this.text.length, before + column - 1);
    this.#area.focus();
    this.#area.setSelectionRange(place, place);
    const height = parseFloat(getComputedStyle(this.#area).lineHeight);
    this.#area.scrollTop = Math.max(0, (line - 4) * height);
  }

  /** @param {number} line */
  #mark(line) {
    this.#colours.children[this.#marked - 1]?.classList.remove("wrong");
    this.#numbers.children[this.#marked - 1]?.classList.remove("wrong");
    this.#marked = line;
    this.#colours.children[line - 1]?.classList.add("wrong");
    this.#numbers.children[line - 1]?.classList.add("wrong");
  }

  #scroll() {
    this.#colours.style.transform = `translate(${-this.#area.scrollLeft}px, ${-this.#area.scrollTop}px)`;
    this.#numbers.style.transform = `translateY(${-this.#area.scrollTop}px)`;
  }

  // Paints the lines that changed: those between what is the same at the start and at the end.
  #paint() {
    const texts = this.text.split("\n");
    const plain = texts.length > COLOURED_LINES;
    this.element.classList.toggle("plain", plain);
    if (plain) {
      this.#lines = [];
      this.#colours.replaceChildren();
      this.#count(0);
      return;
    }
    let first = 0;
    while (first < texts.length && this.#lines[first]?.text === texts[first]) first += 1;
    let same = 0;
    while (same < texts.length - first && same < this.#lines.length - first
      && this.#lines[this.#lines.length - 1 - same].text === texts[texts.length - 1 - same]) same += 1;
    const removed = this.#lines.length - first - same;
    for (let i = 0; i < removed; i += 1) this.#colours.children[first].remove();
    const added = texts.slice(first, texts.length - same);
    this.#lines.splice(first, removed, ...added.map((text) => ({text, before: false, after: false})));
    const next = this.#colours.children[first] ?? null;
    for (const _ of added) this.#colours.insertBefore(h("div"), next);
    let inComment = first > 0 && this.#lines[first - 1].after;
    for (let i = first; i < texts.length; i += 1) {
      const line = this.#lines[i];
      if (i >= first + added.length && line.before === inComment) break;
      const painted = tokens(line.text, inComment);
      line.before = inComment;
      line.after = inComment = painted.inComment;
      fill(this.#colours.children[i], painted.tokens.map(({kind, text}) => (
        kind ? h("span", {class: `token-${kind}`}, text) : text)), line.text ? null : "\u200b");
    }
    this.#count(texts.length);
    this.#scroll();
  }

  /** @param {number} lines */
  #count(lines) {
    while (this.#numbers.children.length > lines) this.#numbers.lastElementChild?.remove();
    for (let i = this.#numbers.children.length; i < lines; i += 1) this.#numbers.append(h("div", {}, String(i + 1)));
  }
}
