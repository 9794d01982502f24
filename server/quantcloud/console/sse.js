// Reads server-sent events from chunks of text, as the HTML standard says.

/** @typedef {{id: string, data: string}} ServerEvent */

export class EventReader {
  #rest = "";
  #data = "";
  #id = "";
  #any = false;

  /**
   * Returns the events that a chunk completes.
   * @param {string} chunk
   * @returns {ServerEvent[]}
   */
  read(chunk) {
    const text = this.#rest + chunk;
    // A "\r" at the end may be the first half of a line's end.
    const end = text.endsWith("\r") ? text.length - 1 : text.length;
    const lines = text.slice(0, end).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() + text.slice(end);
    const events = [];
    for (const line of lines) {
      if (line !== "") {
        this.#take(line);
      } else if (this.#any) {
        events.push({id: this.#id, data: this.#data});
        this.#data = "";
        this.#any = false;
      }
    }
    return events;
  }

  /** @param {string} line */
  #take(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") {
      this.#data = this.#any ? `${this.#data}\n${value}` : value;
      this.#any = true;
    } else if (name === "id" && !value.includes("\0")) {
      this.#id = value;
    }
  }
}
