// A run as a program that the user can copy. Credentials are never in it: they come from the environment.

import {copyButton, h} from "./dom.js";

/** @param {any} value */
const json = (value) => JSON.stringify(value, null, 2);

/** @param {string} text A text in single quotes for a shell. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** @param {string} text */
function pythonText(text) {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"""', '\\"\\"\\"');
  return `"""\\\n${escaped.endsWith('"') ? `${escaped.slice(0, -1)}\\"` : escaped}"""`;
}

/** @param {any} value @returns {string} A value of JSON in Python. */
function python(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${python(each)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}

/**
 * @param {string} origin
 * @param {any} request
 */
export function asCurl(origin, request) {
  return `# QUANTCLOUD_TOKEN is a token, or an API key.
curl ${origin}/v1/circuits/run-and-watch \\
  -H "Authorization: Bearer $QUANTCLOUD_TOKEN" -H 'Content-Type: application/json' \\
  -d ${quoted(json(request))}
`;
}

/** @param {any} observable An observable as the Python client takes it: operators with coefficients. */
function operators({terms}) {
  return Object.fromEntries(terms.map((/** @type {any} */ term) => [term.pauli ?? term.sparse ?? term.projector, term.coefficient ?? 1]));
}

/** The arguments of a run, after its circuit. @param {any} request */
function argumentsOf({qasm: _, options = {}, parameters, observables, ...rest}) {
  const given = {
    ...rest, ...options,
    ...parameters && {parameters: Object.fromEntries(Object.entries(parameters).map(([name, {values}]) => [name, values]))},
    ...observables && {observables: observables.map(operators)},
  };
  return Object.entries(given).map(([name, value]) => `, ${name}=${python(value)}`).join("");
}

/** @param {string} origin @param {string} circuit @param {any} request */
function running(origin, circuit, request) {
  const result = request.observables || request.parameters ? "result.sweep.message" : "result.counts";
  return `# The token is that of QUANTCLOUD_TOKEN, or of \`quantcloud login\`.
with Client(${JSON.stringify(origin)}) as client:
    result = client.run(${circuit}${argumentsOf(request)})
print(${result})
`;
}

/** @param {string} origin @param {any} request */
export function asPython(origin, request) {
  return `from quantcloud import Client  # pip install thequantcloud

circuit = ${pythonText(request.qasm)}
${running(origin, "circuit", request)}`;
}

/** @param {string} origin @param {any} request */
export function asQiskit(origin, request) {
  if (request.parameters) return `# Qiskit reads no inputs of OpenQASM 3, so the server gets the text.\n${asPython(origin, request)}`;
  const version = /^\s*(?:\/\/.*\n\s*|\/\*[^]*?\*\/\s*)*OPENQASM\s+3/.test(request.qasm) ? "3" : "2";
  return `from qiskit import qasm${version}
from quantcloud import Client  # pip install thequantcloud

circuit = qasm${version}.loads(${pythonText(request.qasm)})
print(circuit.draw())
${running(origin, `qasm${version}.dumps(circuit)`, request)}`;
}

/** Buttons that copy a request as programs. @param {() => any} request */
export function copies(request) {
  return [
    h("span", {class: "muted"}, "Copy as"),
    ...Object.entries({curl: asCurl, Python: asPython, Qiskit: asQiskit}).map(([label, make]) => (
      copyButton(label, () => make(location.origin, request())))),
  ];
}
