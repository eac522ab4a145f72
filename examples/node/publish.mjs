// Publishes one event to Callflume and prints the receipt. The rules are docs/contract.md.
//
//   npm install
//   node publish.mjs ../event.json --account acme
//   node publish.mjs - --account acme --lane en --server nats://broker:4222 < event.json
//
// The file holds call_id, kind, at, contact, and if wanted revision and body. The program adds version and id, so the
// same file always has the same id: published twice, it is stored once ("duplicate": true).
//
// Exit status: 0 stored, 1 refused (not stored), 2 unknown (may be stored: run it again with the same file).

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { jetstream, JetStreamApiError } from "@nats-io/jetstream";
import { connect, errors, headers } from "@nats-io/transport-node";

const OPERATIONAL = new Set([
  "call_started", "caller_identified", "call_ended", "call_transferred",
  "deal_stage_changed", "task_created", "opted_out",
]);
const ACK_TIMEOUT_MS = 250;
const GIVE_UP_MS = 10_000;
const STREAM_FULL = 10077;

/** Certainly not stored, and another attempt would change nothing. */
class Refused extends Error {}
/** May be stored: publish it again with the same id. */
class Unknown extends Error {}

const sha256 = (text) => createHash("sha256").update(text, "utf8").digest("hex");

/** Keys sorted at every level, no white space. */
function canonicalJson(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const fields = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`);
  return `{${fields.join(",")}}`;
}

/** The same piece of news always has the same id, different news another one. */
function eventId(account, event) {
  const revision = event.revision != null
    ? `r:${event.revision}`
    : `d:${sha256(canonicalJson({ body: event.body ?? {}, contact: event.contact }))}`;
  const lines = ["callflume-event/1", account, event.call_id, event.kind, event.at, revision];
  return sha256(lines.join("\n")).slice(0, 32);
}

/** What a failed attempt means: may it have stored the event, and may the next one go better? */
function read(error) {
  if (error instanceof JetStreamApiError) {
    // The broker says no. Too many requests and no leader pass by themselves; a full stream does not.
    const passes = (error.status === 429 || error.status === 503) && error.code !== STREAM_FULL;
    return { unknown: false, passes };
  }
  // Nobody there; also while a leader is elected.
  const causes = [error, error.cause];
  if (causes.some((one) => one instanceof errors.RequestError && one.isNoResponders())) {
    return { unknown: false, passes: true, text: "no stream takes the subject" };
  }
  const refused = causes.some((one) =>
    one instanceof errors.PermissionViolationError || one instanceof errors.InvalidArgumentError
  );
  if (refused) return { unknown: false, passes: false };
  // No answer in time, or the connection was lost. The next attempt carries the same id: no second event.
  return { unknown: true, passes: true };
}

/** Publishes until the broker has answered; gives up after GIVE_UP_MS. */
async function publish(connection, account, lane, draft) {
  const event = { v: 1, id: eventId(account, draft), ...draft };
  const subject = `voice.v1.${lane}.${account}.${event.kind}`;
  const payload = JSON.stringify(event);
  const contentType = headers();
  contentType.set("Content-Type", "application/json");
  const stream = jetstream(connection);
  const deadline = Date.now() + GIVE_UP_MS;
  let unknown = false;
  for (let attempts = 1, waitMs = 5;; attempts += 1, waitMs = Math.min(waitMs * 2, 200)) {
    try {
      const ack = await stream.publish(subject, payload, {
        msgID: event.id,
        expect: { streamName: `VOICE_${lane.toUpperCase()}` },
        headers: contentType,
        timeout: ACK_TIMEOUT_MS,
      });
      return { id: event.id, stream: ack.stream, sequence: ack.seq, duplicate: ack.duplicate, attempts };
    } catch (error) {
      const outcome = read(error);
      if (!outcome.passes) throw new Refused(`${subject}: ${error.message}`, { cause: error });
      unknown ||= outcome.unknown;
      if (Date.now() + waitMs > deadline) {
        const text = `${subject}: gave up after ${attempts} attempts: ${outcome.text ?? error.message}`;
        throw unknown ? new Unknown(text, { cause: error }) : new Refused(text, { cause: error });
      }
    }
    await sleep(waitMs * (0.5 + Math.random() / 2));
  }
}

const { positionals: [file], values } = parseArgs({
  allowPositionals: true,
  options: {
    account: { type: "string" },
    lane: { type: "string" },
    server: { type: "string", default: "nats://127.0.0.1:4222" },
  },
});
if (!file || !values.account) {
  console.error("usage: node publish.mjs FILE --account ACCOUNT [--lane op|en] [--server URL]");
  process.exit(1);
}
const event = JSON.parse(readFileSync(file === "-" ? 0 : file, "utf8"));
const lane = values.lane ?? (OPERATIONAL.has(event.kind) ? "op" : "en");

let connection;
try {
  // A service connects once and keeps the connection, which then comes back by itself for ever.
  connection = await connect({ servers: values.server, maxReconnectAttempts: -1, timeout: 5_000, pingInterval: 10_000 });
  console.log(JSON.stringify(await publish(connection, values.account, lane, event)));
} catch (error) {
  const unknown = error instanceof Unknown;
  console.error(`${unknown ? "unknown, run it again with the same file" : "not stored"}: ${error.message}`);
  process.exitCode = unknown ? 2 : 1;
} finally {
  await connection?.close();
}
