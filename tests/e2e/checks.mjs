// Tests one after the other, each with its own time limit, and an account of them at the end.
import { writeFileSync } from "node:fs";

const TEST_WITHIN_MS = 120_000;
const POLL_MS = 50;

const results = [];
let suite = "";

/** Everything registered from now on belongs to this suite. */
export function inSuite(name) {
  suite = name;
}

/** Runs a test at once; a failure is told and remembered, not thrown. */
export async function test(title, body) {
  const start = Date.now();
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${TEST_WITHIN_MS / 1000} s`)), TEST_WITHIN_MS);
  });
  let failure = null;
  try {
    await Promise.race([body(), limit]);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  clearTimeout(timer);
  const seconds = (Date.now() - start) / 1000;
  results.push({ suite, title, seconds, failure });
  console.log(`${failure === null ? "ok  " : "FAIL"} ${suite} > ${title} (${seconds.toFixed(1)} s)`);
  if (failure !== null) console.log(failure.stack);
  return failure === null;
}

/** Asks until the answer is one, and gives it; says what it waited for when it never comes. */
export async function until(what, ask, withinMs = 15_000) {
  const deadline = Date.now() + withinMs;
  let last;
  while (Date.now() < deadline) {
    try {
      const answer = await ask();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`waited ${withinMs / 1000} s for: ${what}; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`);
}

const escaped = (text) => text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

/** Writes the results as JUnit where wanted, prints the closing line, and says whether all passed. */
export function close(junit) {
  if (junit !== null) {
    const cases = results.map(({ suite, title, seconds, failure }) => {
      const open = `<testcase classname="${escaped(suite)}" name="${escaped(title)}" time="${seconds}"`;
      return failure === null ? `${open}/>` : `${open}><failure>${escaped(failure.message)}</failure></testcase>`;
    });
    writeFileSync(junit, `<testsuites><testsuite name="e2e">\n${cases.join("\n")}\n</testsuite></testsuites>\n`);
  }
  const failed = results.filter((one) => one.failure !== null).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  return failed === 0 && results.length > 0;
}
