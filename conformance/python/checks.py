"""How a script tells what an SDK did: one line of JSON per check on standard output.

A check is a function that raises when the SDK's answer is not what it must be. Checks run in the order written; one that
fails doesn't stop those after it. The last line says how many there were, so that a script that died is seen.
"""

import json
import sys
import traceback


class Checks:
    def __init__(self):
        if len(sys.argv) != 3:
            sys.exit(f"usage: {sys.argv[0]} BASE_URL TOKEN")
        self.base_url = sys.argv[1].rstrip("/")
        self.token = sys.argv[2]
        self._done = 0

    def check(self, name):
        """Runs the decorated function at once and reports it under this name."""

        def run(function):
            try:
                function()
            except Exception as error:
                traceback.print_exc()
                self._say(name, f"{type(error).__name__}: {error}")
            else:
                self._say(name, None)
            return function

        return run

    def end(self):
        print(json.dumps({"checks": self._done}), flush=True)

    def _say(self, name, failed):
        self._done += 1
        print(json.dumps({"check": name, "failed": failed}), flush=True)


def same(actual, wanted, what):
    """Fails, showing both, unless they are equal."""
    if actual != wanted:
        raise AssertionError(f"{what}: {actual!r}, expected {wanted!r}")


def holds(condition, what):
    """Fails with this text unless the condition is true."""
    if not condition:
        raise AssertionError(what)


def raised(kind, call):
    """What the call raises, which must be exactly of this kind: the SDK's own class, not one above it."""
    try:
        answer = call()
    except Exception as error:
        if type(error) is not kind:
            raise AssertionError(f"raised {type(error).__name__}, expected {kind.__name__}: {error}") from error
        return error
    raise AssertionError(f"answered {answer!r}, expected {kind.__name__}")
