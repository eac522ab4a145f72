"""Publishes one event to Callflume and prints the receipt. The rules are docs/contract.md.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python publish.py ../event.json --account acme
    .venv/bin/python publish.py - --account acme --lane en --server nats://broker:4222 < event.json

The file holds call_id, kind, at, contact, and if wanted revision and body. The program adds version and id, so the
same file always has the same id: published twice, it is stored once ("duplicate": true).

Exit status: 0 stored, 1 refused (not stored), 2 unknown (may be stored: run it again with the same file).
"""

import argparse
import asyncio
import hashlib
import json
import random
import sys
import time

import msgpack
import nats
from nats.errors import Error, MaxPayloadError
from nats.js.errors import APIError, NoStreamResponseError

OPERATIONAL = {
    "call_started", "caller_identified", "call_ended", "call_transferred",
    "deal_stage_changed", "task_created", "opted_out",
}
CONNECT_TIMEOUT_S = 5.0
ACK_TIMEOUT_S = 0.25
GIVE_UP_S = 10.0
STREAM_FULL = 10077


class Refused(Exception):
    """Certainly not stored, and another attempt would change nothing."""


class Unknown(Exception):
    """May be stored: publish it again with the same id."""


def event_id(account, event):
    """The same piece of news always has the same id, different news another one."""
    if event.get("revision") is not None:
        revision = "r:" + str(event["revision"])
    else:
        content = {"body": event.get("body", {}), "contact": event["contact"]}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        revision = "d:" + hashlib.sha256(canonical.encode()).hexdigest()
    lines = ["callflume-event/1", account, event["call_id"], event["kind"], str(event["at"]), revision]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def passes(error):
    """Whether the next attempt may go better. It carries the same id, so it can't store a second event."""
    if isinstance(error, APIError):
        # The broker says no. Too many requests and no leader pass by themselves; a full stream does not.
        return error.code in (429, 503) and error.err_code != STREAM_FULL
    # No answer in time, nobody there (also while a leader is elected), the connection lost.
    return not isinstance(error, MaxPayloadError)


async def publish(connection, account, lane, event):
    """Publishes until the broker has answered; gives up after GIVE_UP_S."""
    event = {"v": 1, "id": event_id(account, event), **event}
    subject = f"voice.v1.{lane}.{account}.{event['kind']}"
    payload = msgpack.packb(event)
    stream = connection.jetstream(timeout=ACK_TIMEOUT_S)
    deadline = time.monotonic() + GIVE_UP_S
    wait_s, attempts, unknown = 0.005, 0, False
    while True:
        attempts += 1
        try:
            ack = await stream.publish(
                subject,
                payload,
                stream=f"VOICE_{lane.upper()}",
                headers={"Nats-Msg-Id": event["id"]},
            )
            return {
                "id": event["id"],
                "stream": ack.stream,
                "sequence": ack.seq,
                "duplicate": bool(ack.duplicate),
                "attempts": attempts,
            }
        except Error as error:
            if not passes(error):
                raise Refused(f"{subject}: {error}") from error
            # Only an answer says that an attempt stored nothing.
            unknown |= not isinstance(error, (APIError, NoStreamResponseError))
            if time.monotonic() + wait_s > deadline:
                outcome = Unknown if unknown else Refused
                raise outcome(f"{subject}: gave up after {attempts} attempts: {error}") from error
        await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
        wait_s = min(wait_s * 2, 0.2)


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=argparse.FileType("r", encoding="utf-8"), help="the event as JSON; - for stdin")
    parser.add_argument("--account", required=True)
    parser.add_argument("--lane", choices=["op", "en"], help="default: the usual one of the kind")
    parser.add_argument("--server", default="nats://127.0.0.1:4222")
    arguments = parser.parse_args()

    event = json.load(arguments.file)
    lane = arguments.lane or ("op" if event["kind"] in OPERATIONAL else "en")

    async def report(error):
        # A missing permission shows only here; the publish itself just gets no answer.
        print(f"broker: {error}", file=sys.stderr)

    # A service connects once and keeps the connection, which then comes back by itself for ever.
    try:
        connection = await asyncio.wait_for(
            nats.connect(arguments.server, error_cb=report, max_reconnect_attempts=-1, ping_interval=10),
            CONNECT_TIMEOUT_S,
        )
    except (Error, asyncio.TimeoutError) as error:
        print(f"not stored: no broker at {arguments.server} ({type(error).__name__})", file=sys.stderr)
        return 1
    try:
        print(json.dumps(await publish(connection, arguments.account, lane, event)))
    except Refused as error:
        print(f"not stored: {error}", file=sys.stderr)
        return 1
    except Unknown as error:
        print(f"unknown, run it again with the same file: {error}", file=sys.stderr)
        return 2
    finally:
        await connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
