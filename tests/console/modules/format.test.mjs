import assert from "node:assert/strict";
import {test} from "node:test";
import {bytes, dollars, duration, money, percent, secondsBetween, short} from "../../../server/quantcloud/console/format.js";

test("durations have the unit that people read", () => {
  assert.deepEqual([2.7e-5, 0.0123, 1, 59.94, 200, 7260].map((each) => duration(each)),
    ["27 µs", "12.3 ms", "1 s", "59.9 s", "3 min 20 s", "2 h 1 min"]);
  assert.equal(duration(null), "–");
  assert.equal(duration(0), "0 ms");
});

test("the time between two events keeps its microseconds", () => {
  const seconds = secondsBetween("2026-11-30T10:20:40.785839Z", "2026-11-30T10:20:40.788648Z");
  assert.ok(Math.abs(seconds - 0.002809) < 1e-7);
  assert.equal(secondsBetween("2026-11-30T10:20:59Z", "2026-11-30T10:21:00Z"), 1);
  assert.equal(secondsBetween(null, "2026-11-30T10:21:00Z"), null);
});

test("numbers are short and never wrong", () => {
  assert.deepEqual([0, 0.5, 1 / 3, 1234, 12345678].map((each) => short(each)), ["0", "0.5", "0.333", "1234", "1.23e7"]);
  assert.deepEqual([0, 512, 2048, 5 * 2 ** 30].map((each) => bytes(each)), ["0 B", "512 B", "2 KiB", "5 GiB"]);
  assert.deepEqual([0, 0.004, 12.5].map((each) => dollars(each)), ["free", "$0.004", "$12.50"]);
  assert.equal(money(10000), "$10,000.00");
  assert.deepEqual([0, 0.5, 0.0123, 0.00001].map((each) => percent(each)), ["0.0 %", "50.0 %", "1.23 %", "0.001 %"]);
});
