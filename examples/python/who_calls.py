"""Asks Callflume who calls, before the phone is answered. The rules are docs/contract.md, "Contacts for voice services".

    .venv/bin/python who_calls.py --account acme --phone +12025550143

Prints the answer as JSON. It never waits for a CRM: an unknown caller is looked up in the background, --again asks once more
after so many seconds.

Exit status: 0 known, 1 not in the CRM, 2 unknown so far, 3 no answer.
"""

import argparse
import asyncio
import json
import sys

import nats
from nats.errors import Error, NoRespondersError, TimeoutError


async def who_calls(connection, account, person, within):
    """The answer, or None when there is none: no worker runs, or the broker is away."""
    try:
        answer = await connection.request(
            f"svc.contacts.v1.lookup.{account}", json.dumps(person).encode(), timeout=within
        )
    except (NoRespondersError, TimeoutError):
        return None
    return json.loads(answer.data)


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--account", required=True)
    by = parser.add_mutually_exclusive_group(required=True)
    by.add_argument("--phone", help="E.164")
    by.add_argument("--email")
    parser.add_argument("--again", type=float, metavar="SECONDS", help="ask again after this time while unknown")
    # A caller doesn't wait: without an answer by then, greet as a stranger.
    parser.add_argument("--within", type=float, metavar="SECONDS", default=0.5, help="how long to wait for an answer")
    parser.add_argument("--server", default="nats://127.0.0.1:4222")
    arguments = parser.parse_args()
    person = {"phone": arguments.phone} if arguments.phone else {"email": arguments.email}

    try:
        connection = await nats.connect(arguments.server, max_reconnect_attempts=-1)
    except (Error, OSError) as error:
        print(f"no broker at {arguments.server} ({type(error).__name__})", file=sys.stderr)
        return 3
    try:
        answer = await who_calls(connection, arguments.account, person, arguments.within)
        if answer and "unknown" in answer and arguments.again is not None:
            await asyncio.sleep(arguments.again)
            answer = await who_calls(connection, arguments.account, person, arguments.within)
    finally:
        await connection.close()
    if answer is None:
        print("no answer: greet as a stranger", file=sys.stderr)
        return 3
    print(json.dumps(answer))
    for status, kind in enumerate(["known", "absent", "unknown"]):
        if kind in answer:
            return status
    return 3


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
