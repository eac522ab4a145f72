'use strict';
// How a script tells what an SDK did: one line of JSON per check on standard output.
//
// A check is a function that throws when the SDK's answer is not what it must be. Checks run in the order written; one
// that fails doesn't stop those after it. The last line says how many there were, so that a script that died is seen.

const { inspect, isDeepStrictEqual } = require('node:util');

const [baseUrl, token] = process.argv.slice(2);
if (!token) {
  console.error(`usage: ${process.argv[1]} BASE_URL TOKEN`);
  process.exit(2);
}

/** Runs [name, function] pairs one after the other and reports each. */
async function run(checks) {
  for (const [name, check] of checks) {
    let failed = null;
    try {
      await check();
    } catch (error) {
      console.error(error);
      failed = error instanceof Error ? error.message : inspect(error);
    }
    console.log(JSON.stringify({ check: name, failed }));
  }
  console.log(JSON.stringify({ checks: checks.length }));
}

/** Fails, showing both, unless they are equal. */
function same(actual, wanted, what) {
  if (!isDeepStrictEqual(actual, wanted)) {
    throw new Error(`${what}: ${inspect(actual)}, expected ${inspect(wanted)}`);
  }
}

/** Fails with this text unless the condition is true. */
function holds(condition, what) {
  if (!condition) throw new Error(what);
}

/** What the promise is rejected with; an answer is a failure. */
async function refused(promise) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`answered ${inspect(answer)}, expected a refusal`);
}

/** What is written with console.error while the function runs; it goes on to standard error. */
async function spoken(during) {
  const usual = console.error;
  const lines = [];
  console.error = (...words) => {
    lines.push(words.join(' '));
    usual(...words);
  };
  try {
    await during();
  } finally {
    console.error = usual;
  }
  return lines;
}

module.exports = { baseUrl: baseUrl.replace(/\/$/, ''), token, run, same, holds, refused, spoken };
