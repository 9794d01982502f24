// Signing in: with a token or a key, or with a link of `quantcloud serve`.

import {Api} from "./api.js";
import {field, h} from "./dom.js";

/** @typedef {import("./session.js").Session} Session */

const LINK = /^#sign-in=([\w.-]+)$/;

/**
 * A form that signs in. It asks the server first, so that only credentials that work are kept.
 * @param {Session} session
 * @param {string} [why] Why it is shown.
 */
function signInForm(session, why = "") {
  const secret = h("input", {
    type: "password", required: true, autocomplete: "current-password", spellcheck: "false", autocapitalize: "off", name: "secret",
  });
  const remember = h("input", {type: "checkbox", checked: session.remembered});
  const problem = h("p", {class: "problem", role: "alert", hidden: !why}, why);
  const button = h("button", {type: "submit", class: "primary wide"}, "Sign in");

  async function submit(/** @type {Event} */ event) {
    event.preventDefault();
    const given = secret.value.trim().replace(/^Bearer\s+/i, "");
    button.disabled = true;
    problem.hidden = true;
    try {
      await new Api({secret: given}).get("/v1/account/usage");
      session.signIn(given, remember.checked);
    } catch (error) {
      problem.textContent = /** @type {Error} */ (error).message;
      problem.hidden = false;
      secret.focus();
    } finally {
      button.disabled = false;
    }
  }

  return h("form", {class: "sign-in", onsubmit: submit},
    problem,
    field("Token or API key", secret),
    h("label", {class: "inline"}, remember, h("span", {}, "Keep me signed in on this device")),
    button);
}

/** @param {Session} session @param {string} [why] */
export function signInPage(session, why) {
  return h("div", {class: "welcome"},
    h("section", {class: "card", "aria-label": "Credentials"},
      h("h1", {tabindex: "-1"}, "TheQuantCloud"),
      h("p", {class: "muted"}, "Write quantum circuits, run them, and see what happens."),
      signInForm(session, why),
      h("details", {class: "more"}, h("summary", {}, "Where do I get a token?"),
        h("p", {}, "Ask the operator of this server, or make one on its machine:"),
        h("pre", {}, "quantcloud token --user you@example.org"),
        h("p", {class: "muted"}, "The credentials stay in this tab, and are gone when you close it. They stay on this device only if you tick the box."))));
}

/**
 * Shows a dialog to sign in again, over the view that is open.
 * @param {Session} session
 * @param {string} why
 */
export function signInAgain(session, why) {
  let isOver = false;
  const dialog = h("dialog", {"aria-labelledby": "again-title"}, h("h2", {id: "again-title"}, "Your session has ended"), signInForm(session, why),
    h("div", {class: "actions"}, h("button", {type: "button", class: "quiet", onclick: () => dialog.close()}, "Leave")));
  session.addEventListener("change", () => {
    isOver = true;
    dialog.close();
  }, {once: true});
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (!isOver) session.signOut();
  });
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * Signs in with the code of a link, if the page was opened by one. The address loses the code at once.
 * Returns why it did not work, or "".
 * @param {Session} session
 * @returns {Promise<string>}
 */
export async function signInByLink(session) {
  const code = LINK.exec(location.hash)?.[1];
  if (!code) return "";
  history.replaceState(null, "", "#/run");
  try {
    const {token} = await new Api({secret: ""}).post("/v1/auth/sign-in", {code});
    session.signIn(token, false);
    return "";
  } catch (error) {
    // The visitor opened a link, and knows no field.
    return /** @type {Error} */ (error).message.replace(/^code: t/, "T");
  }
}
