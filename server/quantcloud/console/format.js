// Turns values of the API into text for people.

const GROUPED = new Intl.NumberFormat("en");

/** @param {number | null | undefined} value */
export function number(value) {
  return value === null || value === undefined ? "–" : GROUPED.format(value);
}

/**
 * A number with about three digits.
 * @param {number} value
 */
export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2).replace("e+", "e");
  return String(Number(value.toPrecision(size >= 100 ? Math.ceil(Math.log10(size)) + 1 : 3)));
}

/**
 * A duration, such as "12 ms" or "3 min 20 s".
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds <= 0) return "0 ms";
  if (seconds < 1e-3) return `${short(Number((seconds * 1e6).toPrecision(2)))} µs`;
  if (seconds < 1) return `${short(Number((seconds * 1e3).toPrecision(3)))} ms`;
  if (seconds < 60) return `${short(Number(seconds.toPrecision(3)))} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** @param {number | null | undefined} value */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let place = 0;
  while (value >= 1024 && place < units.length - 1) {
    value /= 1024;
    place += 1;
  }
  return `${place ? Number(value.toPrecision(3)) : Math.round(value)} ${units[place]}`;
}

/** @param {number | null | undefined} value */
export function dollars(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "free";
  return value < 0.01 ? `$${short(value)}` : `$${value.toFixed(2)}`;
}

/** @param {number} value */
export function money(value) {
  return `$${value.toLocaleString("en", {minimumFractionDigits: 2, maximumFractionDigits: 2})}`;
}

/** @param {number} value */
export function percent(value) {
  const shown = value * 100;
  return `${shown === 0 || shown >= 10 ? shown.toFixed(1) : shown >= 0.1 ? shown.toFixed(2) : shown.toPrecision(1)} %`;
}

/**
 * A point in time, in the reader's zone and language.
 * @param {string | null | undefined} time
 * @param {Date} [now]
 */
export function moment(time, now = new Date()) {
  if (!time) return "–";
  const date = new Date(time);
  const clock = date.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", second: "2-digit"});
  if (date.toDateString() === now.toDateString()) return clock;
  return `${date.toLocaleDateString([], {day: "numeric", month: "short", year: "numeric"})}, ${clock}`;
}

/**
 * The seconds from one time to another. The API has microseconds, and `Date` only milliseconds.
 * @param {string | null | undefined} from
 * @param {string | null | undefined} to
 * @returns {number | null}
 */
export function secondsBetween(from, to) {
  if (!from || !to) return null;
  return secondsOf(to) - secondsOf(from);
}

// The seconds since the start of 2020, so that a double has room for microseconds.
const EPOCH = Date.UTC(2020, 0) / 1000;

/** @param {string} time */
function secondsOf(time) {
  const [, whole, fraction = "", zone = "Z"] = /^(.*?)(\.\d+)?(Z|[+-]\d\d:\d\d)?$/.exec(time) ?? ["", time];
  return Date.parse(whole + zone) / 1000 - EPOCH + Number(`0${fraction}`);
}

/**
 * A job's name, or the part of its id that tells it from others.
 * @param {{job_id: string, name?: string | null}} job
 */
export function jobName(job) {
  return job.name || `${job.job_id.slice(0, 8)}…${job.job_id.slice(-4)}`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}
