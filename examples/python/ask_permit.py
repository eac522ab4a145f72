"""Asks Callflume for a permit before each request on a CRM credential that it works on too. The rules are docs/contract.md,
"Permits for other processes".

    .venv/bin/python ask_permit.py https://api.hubapi.com/crm/v3/objects/contacts?limit=1 \\
        --account acme --window ten_secondly --window daily

Sends one GET with the token in CRM_TOKEN and prints what came of it; a service does the same around each of its requests.

Exit status: 0 answered, 1 not sent (no permit, nobody owns the account), 2 sent without an answer.
"""

import argparse
import asyncio
import http.client
import json
import os
import sys
import time
import urllib.parse

import nats
from nats.errors import Error, NoRespondersError, TimeoutError

ANSWER_WITHIN_MS = 5_000
# Longer than the owner takes: an answer that comes later is of no use.
LISTEN_S = ANSWER_WITHIN_MS / 1_000 + 2
GIVE_UP_S = 60.0


class NotSent(Exception):
    """No permit, so nothing left."""


async def permit(connection, account, lane, windows):
    """Asks until there is one. Answers its name and, on this process's own clock, when the request must have begun and
    ended: both count from the instant at which the ask was sent."""
    ask = {"lane": lane, "windows": {name: 1 for name in windows}, "answer_within_ms": ANSWER_WITHIN_MS}
    give_up = time.monotonic() + GIVE_UP_S
    while True:
        asked = time.monotonic()
        try:
            answer = await connection.request(
                f"svc.quota.v1.ask.{account}", json.dumps(ask).encode(), timeout=LISTEN_S
            )
            reply = json.loads(answer.data)
        except (NoRespondersError, TimeoutError) as error:
            # Nobody owns the account at the moment: a takeover takes seconds.
            reply = {"wait": {"wait_ms": 1_000, "window": type(error).__name__}}
        if "granted" in reply:
            granted = reply["granted"]
            return (
                granted["permit"],
                asked + granted["send_within_ms"] / 1_000,
                asked + granted["end_within_ms"] / 1_000,
            )
        if "wait" not in reply:
            refused = reply.get("refused", {})
            raise NotSent(f"{refused.get('code')}: {refused.get('text')}")
        wait_s = reply["wait"]["wait_ms"] / 1_000
        if time.monotonic() + wait_s > give_up:
            raise NotSent(f"no permit within {GIVE_UP_S:.0f} s: {reply['wait']['window']}")
        await asyncio.sleep(wait_s)


def send(url, token, send_by, end_by):
    """One request: outcome, status, headers. Connecting is not sending: what could not begin in time never left."""
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=max(send_by - time.monotonic(), 0.001))
    try:
        try:
            connection.connect()
        except OSError:
            return "not_sent", None, {}
        if time.monotonic() > send_by:
            return "not_sent", None, {}
        connection.sock.settimeout(max(end_by - time.monotonic(), 0.001))
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return "answered", response.status, dict(response.getheaders())
    except (OSError, http.client.HTTPException):
        return "unanswered", None, {}
    finally:
        connection.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--account", required=True)
    parser.add_argument("--lane", choices=["op", "en"], default="en")
    parser.add_argument("--window", action="append", required=True, help="a window the request counts in; each of them")
    parser.add_argument("--server", default="nats://127.0.0.1:4222")
    arguments = parser.parse_args()

    try:
        connection = await nats.connect(arguments.server, max_reconnect_attempts=-1)
    except (Error, OSError) as error:
        print(f"not sent: no broker at {arguments.server} ({type(error).__name__})", file=sys.stderr)
        return 1
    try:
        name, send_by, end_by = await permit(connection, arguments.account, arguments.lane, arguments.window)
        token = os.environ.get("CRM_TOKEN", "")
        outcome, status, headers = await asyncio.to_thread(send, arguments.url, token, send_by, end_by)
        settle = {"permit": name, "outcome": outcome, "headers": headers}
        if status == 429:
            settle["throttled"] = {}
        await connection.publish(f"svc.quota.v1.settle.{arguments.account}", json.dumps(settle).encode())
        await connection.flush()
    except NotSent as error:
        print(f"not sent: {error}", file=sys.stderr)
        return 1
    finally:
        await connection.close()
    print(json.dumps({"outcome": outcome, "status": status}))
    return {"answered": 0, "not_sent": 1}.get(outcome, 2)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
