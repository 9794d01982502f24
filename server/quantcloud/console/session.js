// The credentials of this tab. They are in `sessionStorage`, or in `localStorage` if the user asks the
// page to remember them.

const KEY = "quantcloud.credentials";

/** @param {() => Storage} open */
function storage(open) {
  try {
    return open();
  } catch {
    return null; // Storage is blocked: the credentials live as long as the page.
  }
}

/** Fires `change` when the user signs in or out, here or in another tab that shares the credentials. */
export class Session extends EventTarget {
  #tab = storage(() => sessionStorage);
  #device = storage(() => localStorage);
  #secret = this.#tab?.getItem(KEY) ?? this.#device?.getItem(KEY) ?? "";

  constructor() {
    super();
    addEventListener("storage", (event) => {
      if (event.key === KEY && this.#tab?.getItem(KEY) == null) this.#set(event.newValue ?? "");
    });
  }

  get secret() {
    return this.#secret;
  }

  get remembered() {
    return this.#secret !== "" && this.#device?.getItem(KEY) === this.#secret;
  }

  /**
   * @param {string} secret
   * @param {boolean} remember
   */
  signIn(secret, remember) {
    this.#forget();
    (remember ? this.#device : this.#tab)?.setItem(KEY, secret);
    this.#set(secret);
  }

  signOut() {
    this.#forget();
    this.#set("");
  }

  #forget() {
    if (this.remembered) this.#device?.removeItem(KEY);
    this.#tab?.removeItem(KEY);
  }

  /** @param {string} secret */
  #set(secret) {
    this.#secret = secret;
    this.dispatchEvent(new Event("change"));
  }
}
