// The outcomes of a run: their order, and the length of their bars.

/** @typedef {{bits: string, count: number}} Outcome */
/** @typedef {"count" | "bits"} Order */

/**
 * Returns the outcomes that fit a search, in order. The search is a part of the bitstring, where "?"
 * or "." stands for any bit.
 * @param {Record<string, number>} counts
 * @param {Order} order
 * @param {string} search
 * @returns {Outcome[]}
 */
export function ranked(counts, order, search = "") {
  const found = Object.entries(counts).map(([bits, count]) => ({bits, count}));
  const wanted = search.replace(/[^01?.]/g, "").replaceAll("?", ".");
  const pattern = wanted ? new RegExp(wanted) : null;
  const fitting = pattern ? found.filter(({bits}) => pattern.test(bits)) : found;
  const byBits = (/** @type {Outcome} */ a, /** @type {Outcome} */ b) => (a.bits < b.bits ? -1 : 1);
  return fitting.sort(order === "count" ? (a, b) => b.count - a.count || byBits(a, b) : byBits);
}

/**
 * The length of a bar, from 0 to 1. On a logarithmic scale one shot is still seen.
 * @param {number} count
 * @param {number} most
 * @param {boolean} logarithmic
 */
export function barLength(count, most, logarithmic) {
  if (count <= 0 || most <= 0) return 0;
  return logarithmic ? Math.log(count + 1) / Math.log(most + 1) : count / most;
}

/**
 * How far two results differ: 0 for equal shares, 1 for no outcome in common (total variation).
 * @param {Record<string, number>} a
 * @param {Record<string, number>} b
 */
export function difference(a, b) {
  const total = (/** @type {Record<string, number>} */ counts) => Object.values(counts).reduce((sum, n) => sum + n, 0) || 1;
  const [allA, allB] = [total(a), total(b)];
  let sum = 0;
  for (const bits of new Set([...Object.keys(a), ...Object.keys(b)])) {
    sum += Math.abs((a[bits] ?? 0) / allA - (b[bits] ?? 0) / allB);
  }
  return sum / 2;
}
