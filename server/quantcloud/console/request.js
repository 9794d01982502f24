// Makes a request of what the user entered. The server checks it; this finds only what cannot be sent.

export class EntryError extends Error {
  /** @param {string} field @param {string} message */
  constructor(field, message) {
    super(`${field}: ${message}`);
    this.field = field;
  }
}

const MOST_POINTS = 100_000;

/**
 * A number, which may have "pi" in it: "-pi/2", "0.5*pi", "1e-3".
 * @param {string} text
 * @returns {number}
 */
export function readNumber(text) {
  const match = /^([-+])?(?:(\d+\.?\d*(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?)\*?)?(pi|π)?(?:\/(\d+\.?\d*))?$/i
    .exec(text.replace(/\s+/g, "").replace("−", "-"));
  if (!match || (match[2] === undefined && !match[3])) return NaN;
  const [, sign, factor = "1", pi, divisor = "1"] = match;
  return (sign === "-" ? -1 : 1) * Number(factor) * (pi ? Math.PI : 1) / Number(divisor);
}

/**
 * Reads lines such as "theta = 0, pi/2, pi" or "theta = -pi : pi : 41" (from, to, how many points).
 * @param {string} text
 * @returns {Record<string, {values: number[]}>}
 */
export function readParameters(text) {
  /** @type {Record<string, {values: number[]}>} */
  const found = {};
  for (const line of text.split("\n").map((each) => each.trim()).filter(Boolean)) {
    const [, name, given] = /^([A-Za-z_]\w*)\s*=\s*(.+)$/.exec(line) ?? [];
    if (!name) throw new EntryError("Parameters", `"${line}" is not NAME = VALUES, such as theta = 0, pi/2, pi`);
    found[name] = {values: given.includes(":") ? range(name, given) : list(name, given)};
  }
  return found;
}

/** @param {string} name @param {string} given */
function list(name, given) {
  return given.split(",").map((each) => {
    const value = readNumber(each);
    if (!Number.isFinite(value)) throw new EntryError("Parameters", `${name}: "${each.trim()}" is not a number`);
    return value;
  });
}

/** @param {string} name @param {string} given */
function range(name, given) {
  const [from, to, count, ...more] = given.split(":").map(readNumber);
  if (![from, to, count].every(Number.isFinite) || more.length || !Number.isInteger(count) || count < 1 || count > MOST_POINTS) {
    throw new EntryError("Parameters", `${name}: "${given}" is not FROM : TO : POINTS, such as 0 : pi : 21`);
  }
  return Array.from({length: count}, (_, i) => (count === 1 ? from : from + (to - from) * i / (count - 1)));
}

/**
 * Reads observables: one term a line, such as "0.5 ZZ", "-1 Z0 Z3" or "|01>". An empty line begins the
 * next observable.
 * @param {string} text
 */
export function readObservables(text) {
  return text.trim().split(/\n\s*\n/).filter(Boolean).map((block) => ({
    terms: block.split("\n").map((line) => line.trim()).filter(Boolean).map(readTerm),
  }));
}

/** @param {string} line */
function readTerm(line) {
  const match = /^(?:(.*?\S)\s+|([-+]))??([IXYZ]+|[XYZ]\d+(?: +[XYZ]\d+)*|\|[01]+[>⟩])$/.exec(line);
  const [, before, sign, operator] = match ?? [];
  const given = (before ?? sign)?.replace(/^[-+]$/, "$&1");
  const coefficient = given === undefined ? 1 : readNumber(given);
  if (operator === undefined || !Number.isFinite(coefficient)) {
    throw new EntryError("Observables", `"${line}" is not a term, such as 0.5 ZZ, -1 Z0 Z3 or |01>`);
  }
  const named = operator.startsWith("|") ? {projector: operator.slice(1, -1)}
    : /\d/.test(operator) ? {sparse: operator} : {pauli: operator};
  return given === undefined ? named : {...named, coefficient};
}

/**
 * The inputs that a circuit declares. It is only a hint for the form.
 * @param {string} qasm
 * @returns {string[]}
 */
export function inputsOf(qasm) {
  const code = qasm.replace(/\/\/.*|\/\*[^]*?\*\//g, "");
  return [...code.matchAll(/\binput\s+[^;=]*?([A-Za-z_]\w*)\s*;/g)].map((match) => match[1]);
}

/**
 * @typedef {{
 *   qasm: string, shots: string, backend: string, optimizeFor: string, name: string, tags: string,
 *   seed: string, timeout: string, maxCost: string, minFidelity: string, statevector: boolean,
 *   memory: boolean, depolarizing1q: string, depolarizing2q: string, readout: string,
 *   parameters: string, observables: string, precision: string, gradient: boolean,
 * }} Entries
 */

/**
 * Returns the body of a run. Throws `EntryError`.
 * @param {Entries} entries
 */
export function requestOf(entries) {
  const noise = without({
    depolarizing_1q: real("1-qubit noise", entries.depolarizing1q),
    depolarizing_2q: real("2-qubit noise", entries.depolarizing2q),
    readout: real("Readout noise", entries.readout),
  });
  const options = without({
    seed: whole("Seed", entries.seed),
    timeout_seconds: real("Time limit", entries.timeout),
    statevector: entries.statevector || undefined,
    memory: entries.memory || undefined,
    noise: Object.keys(noise).length ? noise : undefined,
  });
  const parameters = readParameters(entries.parameters);
  const observables = readObservables(entries.observables);
  const tags = entries.tags.split(",").map((tag) => tag.trim()).filter(Boolean);
  return without({
    qasm: entries.qasm,
    shots: whole("Shots", entries.shots),
    backend: entries.backend || undefined,
    optimize_for: entries.backend ? undefined : entries.optimizeFor || undefined,
    name: entries.name.trim() || undefined,
    tags: tags.length ? tags : undefined,
    max_cost_usd: real("Highest cost", entries.maxCost),
    min_fidelity: real("Lowest fidelity", entries.minFidelity),
    options: Object.keys(options).length ? options : undefined,
    parameters: Object.keys(parameters).length ? parameters : undefined,
    observables: observables.length ? observables : undefined,
    precision: observables.length ? real("Standard error", entries.precision) : undefined,
    gradient: observables.length && entries.gradient || undefined,
  });
}

/** @param {Record<string, any>} fields @returns {Record<string, any>} */
function without(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** @param {string} field @param {string} text */
function real(field, text) {
  if (text.trim() === "") return undefined;
  const value = readNumber(text);
  if (!Number.isFinite(value)) throw new EntryError(field, `"${text}" is not a number`);
  return value;
}

/** @param {string} field @param {string} text */
function whole(field, text) {
  const value = real(field, text);
  if (value !== undefined && !Number.isSafeInteger(value)) throw new EntryError(field, "must be a whole number");
  return value;
}
