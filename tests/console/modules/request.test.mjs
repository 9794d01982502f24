import assert from "node:assert/strict";
import {test} from "node:test";
import {inputsOf, readNumber, readObservables, readParameters, requestOf} from "../../../server/quantcloud/console/request.js";

const EMPTY = {
  qasm: "x", shots: "", backend: "", optimizeFor: "", name: "", tags: "", seed: "", timeout: "", maxCost: "", minFidelity: "",
  statevector: false, memory: false, depolarizing1q: "", depolarizing2q: "", readout: "", parameters: "", observables: "",
  precision: "", gradient: false,
};

test("a number may have pi in it", () => {
  assert.deepEqual(["pi", "-pi/2", "0.5*pi", "2pi", "1e-3", ".5", " - 3 "].map(readNumber),
    [Math.PI, -Math.PI / 2, Math.PI / 2, 2 * Math.PI, 1e-3, 0.5, -3]);
  for (const wrong of ["", "pie", "1/0/2", "alert(1)", "--1", "1e"]) assert.ok(Number.isNaN(readNumber(wrong)), wrong);
});

test("parameters are lists, or ranges with both ends", () => {
  assert.deepEqual(readParameters("theta = 0, 1, 2\n\n b=0:1:3 "), {theta: {values: [0, 1, 2]}, b: {values: [0, 0.5, 1]}});
  for (const wrong of ["theta", "theta = 1, x", "theta = 0:1", "theta = 0:1:0", "theta = 0:1:2.5", "1a = 2"]) {
    assert.throws(() => readParameters(wrong), /^EntryError|Parameters/, wrong);
  }
});

test("observables are terms, and an empty line begins the next", () => {
  assert.deepEqual(readObservables("0.5 ZZ\n-1 Z0 Z3\n\n|01>\n- XX"), [
    {terms: [{pauli: "ZZ", coefficient: 0.5}, {sparse: "Z0 Z3", coefficient: -1}]},
    {terms: [{projector: "01"}, {pauli: "XX", coefficient: -1}]},
  ]);
  assert.deepEqual(readObservables("  "), []);
  for (const wrong of ["0.5", "ZQ", "abc ZZ", "Z"  + "0Z1"]) assert.throws(() => readObservables(wrong), /Observables/, wrong);
});

test("a request has only what the user entered", () => {
  assert.deepEqual(requestOf(EMPTY), {qasm: "x"});
  assert.deepEqual(requestOf({
    ...EMPTY, shots: "10", backend: "aer_simulator", optimizeFor: "speed", tags: "a, ,b", seed: "7", memory: true, readout: "0.1",
  }), {
    qasm: "x", shots: 10, backend: "aer_simulator", tags: ["a", "b"], options: {seed: 7, memory: true, noise: {readout: 0.1}},
  });
  assert.throws(() => requestOf({...EMPTY, shots: "1.5"}), /Shots: must be a whole number/);
  assert.throws(() => requestOf({...EMPTY, maxCost: "much"}), /Highest cost/);
});

test("the inputs of a circuit are found, but not in comments", () => {
  assert.deepEqual(inputsOf("input float[64] theta;\n// input angle no;\ninput array[float[64], 3] w; /* input int k; */"), ["theta", "w"]);
});
