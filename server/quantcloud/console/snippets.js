// A run as a program that the user can copy. Credentials are never in it: they come from the environment.

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
  return `# TOKEN is a token, or an API key.
curl ${origin}/v1/circuits/run-and-watch \\
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d ${quoted(json(request))}
`;
}

/** @param {string} origin @param {string} fields */
function sending(origin, fields) {
  return `headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/json"}


def call(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(${JSON.stringify(origin)} + path, data, headers)) as answer:
        return json.load(answer)


job = call("/v1/circuits/run", ${fields})
while (job := call(f"/v1/jobs/{job['job_id']}?wait_seconds=30"))["status"] not in (
    "completed", "failed", "timeout", "cancelled",
):
    print(job["status"])
if job["status"] != "completed":
    raise SystemExit(job["error_message"] or job["status"])
result = call(f"/v1/jobs/{job['job_id']}/result")
print(${"result"}["counts"])
`;
}

/** @param {any} request */
function restOf(request) {
  const {qasm: _, ...rest} = request;
  return Object.entries(rest).map(([name, value]) => `, ${JSON.stringify(name)}: ${python(value)}`).join("");
}

/** @param {string} origin @param {any} request */
export function asPython(origin, request) {
  return `import json
import os
import urllib.request

circuit = ${pythonText(request.qasm)}
${sending(origin, `{"qasm": circuit${restOf(request)}}`)}`;
}

/** @param {string} origin @param {any} request */
export function asQiskit(origin, request) {
  const version = /^\s*(?:\/\/.*\n\s*|\/\*[^]*?\*\/\s*)*OPENQASM\s+3/.test(request.qasm) ? "3" : "2";
  return `import json
import os
import urllib.request

from qiskit import qasm${version}

circuit = qasm${version}.loads(${pythonText(request.qasm)})
print(circuit.draw())
${sending(origin, `{"qasm": qasm${version}.dumps(circuit)${restOf(request)}}`)}`;
}
