import assert from "node:assert/strict";
import {test} from "node:test";
import {errorOf} from "../../../server/quantcloud/console/api.js";
import {pause} from "../../../server/quantcloud/console/follow.js";
import {again} from "../../../server/quantcloud/console/job.js";
import {asCurl, asPython, asQiskit} from "../../../server/quantcloud/console/snippets.js";
import {amplitudes, complex} from "../../../server/quantcloud/console/statevector.js";
import {axis, ticks} from "../../../server/quantcloud/console/sweep.js";

test("an error has what the page acts on", () => {
  const error = errorOf(400, {detail: "qasm: line 4, column 1: no", details: [
    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "INVALID_CIRCUIT", metadata: {line: "4", column: "1"}},
    {"@type": "type.googleapis.com/google.rpc.BadRequest", field_violations: [{field: "qasm"}]},
  ]});
  assert.deepEqual([error.message, error.reason, error.metadata.line, error.field, error.passes],
    ["qasm: line 4, column 1: no", "INVALID_CIRCUIT", "4", "qasm", false]);
  assert.equal(errorOf(502, null).passes, true);
  assert.match(errorOf(502, null).message, /502/);
});

test("pauses grow, have an end, and obey the server", () => {
  assert.deepEqual([1, 2, 3, 99].map((failures) => pause(failures, 0, () => 1)), [500, 1000, 2000, 8000]);
  assert.equal(pause(1, 20, () => 0), 20000);
});

test("a job is repeated with its backend and seed, and without empty fields", () => {
  assert.deepEqual(again({
    job_id: "x", qasm: "q", shots: 5, options: {seed: 7, noise: null, memory: null}, optimize_for: "speed", max_cost_usd: null,
    requested_backend: null, backend: "aer_simulator", name: null, tags: [],
  }), {qasm: "q", shots: 5, options: {seed: 7}, optimize_for: "speed", backend: "aer_simulator"});
});

test("copied programs hold the circuit, and no credentials", () => {
  const request = {qasm: `OPENQASM 3.0;\n// it's a "test" \\ """\n`, shots: 7, options: {seed: 1, memory: true}};
  for (const text of [asCurl, asPython, asQiskit].map((make) => make("http://localhost:8080", request))) {
    assert.match(text, /http:\/\/localhost:8080/);
    assert.match(text, /TOKEN/);
  }
  assert.match(asCurl("x", request), /it'\\''s/);
  assert.match(asPython("x", request), /client\.run\(circuit, shots=7, seed=1, memory=True\)/);
  const sweep = {qasm: "q", parameters: {a: {values: [1]}}, observables: [{terms: [{pauli: "ZZ", coefficient: 0.5}, {sparse: "X0"}]}]};
  assert.match(asPython("x", sweep), /parameters=\{"a": \[1\]\}, observables=\[\{"ZZ": 0\.5, "X0": 1\}\]/);
  assert.match(asQiskit("x", request), /qasm3\.loads/);
  assert.match(asQiskit("x", {qasm: "OPENQASM 2.0;"}), /qasm2\.loads/);
});

test("amplitudes are those that are not zero", () => {
  const found = amplitudes({real: [Math.SQRT1_2, 0, 0, 0], imag: [0, 0, 0, -Math.SQRT1_2]});
  assert.deepEqual(found.map(({basis}) => basis), ["00", "11"]);
  assert.equal(complex(0.5, -0.5), "0.50000 − 0.50000i");
  assert.equal(complex(-1e-17, 1), "0.00000 + 1.00000i");
});

test("the axis of a sweep is the input that varies", () => {
  assert.deepEqual(axis({a: {values: [1]}, b: {values: [3, 4, 5]}}, 1, 2, 3), {name: "b", values: [4, 5]});
  assert.deepEqual(axis({}, 2, 2, 4), {name: "point", values: [2, 3]});
  assert.deepEqual(ticks(-1, 1, 4), [-1, -0.5, 0, 0.5, 1]);
  assert.deepEqual(ticks(2, 2), [2]);
});
