import assert from "node:assert/strict";
import {test} from "node:test";
import {barLength, difference, ranked} from "../../../server/quantcloud/console/outcomes.js";

const COUNTS = {"101": 5, "000": 7, "111": 5, "010": 1};

test("outcomes are in the order of their shots, or of their bits", () => {
  assert.deepEqual(ranked(COUNTS, "count").map(({bits}) => bits), ["000", "101", "111", "010"]);
  assert.deepEqual(ranked(COUNTS, "bits").map(({bits}) => bits), ["000", "010", "101", "111"]);
});

test("a search is a part of the bits, where ? is any", () => {
  assert.deepEqual(ranked(COUNTS, "bits", "1?1").map(({bits}) => bits), ["101", "111"]);
  assert.deepEqual(ranked(COUNTS, "bits", "((([").length, 4);
});

test("bars fit, and one shot is seen on a logarithmic scale", () => {
  assert.equal(barLength(5, 10, false), 0.5);
  assert.equal(barLength(10, 10, true), 1);
  assert.ok(barLength(1, 1e6, true) > 0.04);
  assert.equal(barLength(0, 10, true), 0);
  assert.equal(barLength(0, 0, false), 0);
});

test("the difference of two results is between 0 and 1", () => {
  assert.equal(difference({"0": 3, "1": 1}, {"0": 300, "1": 100}), 0);
  assert.equal(difference({"0": 3}, {"1": 5}), 1);
  assert.equal(difference({"0": 1, "1": 1}, {"0": 1}), 0.5);
});

test("a hundred thousand outcomes are ranked in a moment", () => {
  const many = Object.fromEntries(Array.from({length: 100_000}, (_, i) => [i.toString(2).padStart(17, "0"), i % 97]));
  const start = performance.now();
  assert.equal(ranked(many, "count").length, 100_000);
  assert.ok(performance.now() - start < 2000);
});
