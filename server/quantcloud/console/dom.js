// Makes elements. Text is only ever set as text, never as markup.

/**
 * Returns an element. A property that begins with "on" is a listener; `class` and the others are
 * attributes, where `true` is an empty one and null, undefined or false is none.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [properties]
 * @param {...any} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") Object.assign(element, {[name]: value});
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...shown(children));
  return element;
}

/** @param {any[]} children */
function shown(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/**
 * Replaces the content of an element.
 * @param {Element} element
 * @param {...any} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...shown(children));
}

/**
 * A labelled form field.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [note]
 */
export function field(label, control, note) {
  control.id ||= `field-${++fields}`;
  if (note) control.setAttribute("aria-describedby", `${control.id}-note`);
  return h("div", {class: "field"},
    h("label", {for: control.id}, label),
    control,
    note && h("small", {id: `${control.id}-note`}, note));
}
let fields = 0;

/**
 * A table that scrolls sideways by itself. `heads` are texts, or objects with `text` and `number`.
 * @param {string} caption
 * @param {(string | {text: string, number?: boolean, hidden?: boolean})[]} heads
 * @param {Node} body
 */
export function table(caption, heads, body) {
  return h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption},
    h("table", {},
      h("thead", {}, h("tr", {}, heads.map((head) => {
        const {text, number, hidden} = typeof head === "string" ? {text: head} : /** @type {any} */ (head);
        return h("th", {scope: "col", class: number ? "number" : null},
          hidden ? h("span", {class: "unseen"}, text) : text);
      }))),
      body));
}

/**
 * Asks a question in a dialog. Returns whether the answer is yes.
 * @param {string} question
 * @param {string} yes
 * @param {string} [more]
 * @returns {Promise<boolean>}
 */
export function confirmed(question, yes, more) {
  return ask(question, [more && h("p", {}, more)], yes, () => true).then(Boolean);
}

/**
 * Shows a dialog with a form. Returns what `read` makes of it, or null if the user cancels.
 * @template T
 * @param {string} title
 * @param {any[]} content
 * @param {string} yes
 * @param {() => T} read
 * @returns {Promise<T | null>}
 */
export function ask(title, content, yes, read) {
  return new Promise((resolve) => {
    /** @type {T | null} */
    let answer = null;
    const dialog = h("dialog", {"aria-labelledby": "dialog-title", onclose: () => {
      dialog.remove();
      resolve(answer);
    }},
    h("form", {method: "dialog", onsubmit: () => { answer = read(); }},
      h("h2", {id: "dialog-title"}, title),
      content,
      h("div", {class: "actions end"},
        h("button", {type: "button", class: "quiet", onclick: () => dialog.close()}, "Cancel"),
        h("button", {type: "submit", class: "primary"}, yes))));
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * Returns a function that runs `work` once nothing has called it for a while.
 * @param {() => void} work
 * @param {number} milliseconds
 */
export function afterQuiet(work, milliseconds) {
  let timer = 0;
  return {
    later(pause = milliseconds) {
      clearTimeout(timer);
      timer = setTimeout(work, pause);
    },
    never() {
      clearTimeout(timer);
    },
  };
}

/**
 * A button that copies a text.
 * @param {string} label
 * @param {() => string} text
 */
export function copyButton(label, text) {
  const button = h("button", {type: "button", class: "quiet small", onclick: async () => {
    button.textContent = await copied(text()) ? "Copied" : "Copying is not allowed here";
    setTimeout(() => { button.textContent = label; }, 1500);
  }}, label);
  return button;
}

/**
 * Tabs, of which one is shown. Arrow keys move between them.
 * @param {string} label
 * @param {{name: string, make: () => Node}[]} pages Each is made when it is first shown.
 */
export function tabs(label, pages) {
  const group = `tabs-${++groups}`;
  const panel = h("div", {role: "tabpanel", tabindex: "-1", id: `${group}-panel`});
  /** @type {Map<number, Node>} */
  const made = new Map();
  const buttons = pages.map(({name}, i) => h("button", {
    type: "button", role: "tab", id: `${group}-${i}`, "aria-controls": panel.id, onclick: () => show(i),
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (!step) return;
      const next = (i + step + pages.length) % pages.length;
      show(next);
      buttons[next].focus();
    },
  }, name));

  /** @param {number} shown */
  function show(shown) {
    buttons.forEach((button, i) => {
      button.setAttribute("aria-selected", String(i === shown));
      button.tabIndex = i === shown ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", buttons[shown].id);
    const page = made.get(shown) ?? pages[shown].make();
    made.set(shown, page);
    fill(panel, page);
  }

  show(0);
  return h("div", {class: "tabs"}, h("div", {role: "tablist", "aria-label": label}, buttons), panel);
}
let groups = 0;

/**
 * Pairs of a name and a value; those without a value are left out.
 * @param {[string, any][]} pairs
 */
export function facts(pairs) {
  return h("dl", {class: "facts"}, pairs
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** @param {string} text @returns {Promise<boolean>} */
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  // Without TLS, browsers offer only the old way.
  const area = h("textarea", {class: "unseen", value: text});
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
