#!/usr/bin/env python3
"""The vendors' own SDKs drive the fake CRMs, unmodified but for the base address.

    conformance/run.py [--only NAME]... [--sim FILE]

Installs the SDKs at their pinned versions into the cache folder, builds callflume-sim, starts a fake for each SDK on a free
port, runs the SDK's script against it and prints a line per check. Exit code 0: every check holds; 1: one failed; 2: wrong
arguments; 3: the environment failed (no npm, a package that can't be fetched, a build that fails).

CALLFLUME_CACHE_DIR   cache folder (default: $XDG_CACHE_HOME/callflume or ~/.cache/callflume)

Needs Python 3.10 or newer with pip, Node.js 20 or newer with npm, Rust. Nothing is installed into any of them.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import platform
import queue
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = "conformance-token"
# Generous: they only end what would hang for ever.
LISTENING_S = 60
SCRIPT_S = 300
ENDING_S = 30
# More than there are processors: most of the time an SDK waits out a refusal.
AT_ONCE = 4
FETCHES = 3


@dataclass(frozen=True)
class Sdk:
    """An SDK with its script, the CRM that stands in for its vendor's, and what goes wrong there."""

    name: str
    vendor: str
    script: str
    contacts: int
    #: Each must strike as often as it says.
    faults: tuple[str, ...]

    def struck(self):
        return sum(int(fault.rpartition("times=")[2]) for fault in self.faults)


HUBSPOT = (
    "throttled,policy=ten_secondly,path=/objects/tasks,times=1",
    "throttled,policy=ten_secondly,path=/objects/notes,times=1",
    "throttled,policy=secondly,path=/objects/calls/search,times=1",
    "throttled,policy=daily,path=/objects/deals,times=1",
)
SALESFORCE = ("throttled,policy=daily,path=/sobjects/Opportunity,times=1",)

SDKS = (
    Sdk("hubspot-api-client", "hubspot", "python/hubspot_api_client.py", 150, HUBSPOT),
    Sdk("@hubspot/api-client", "hubspot", "node/hubspot_api_client.js", 150, HUBSPOT),
    Sdk("simple-salesforce", "salesforce", "python/simple_salesforce_api.py", 250, SALESFORCE),
    Sdk(
        "jsforce",
        "salesforce",
        "node/jsforce.js",
        250,
        (
            *SALESFORCE,
            "status,status=503,method=post,path=/sobjects/Task,times=1",
            "status,status=503,method=get,path=/sobjects/Task/describe,times=1",
        ),
    ),
    Sdk(
        "closeio",
        "close",
        "python/close_api.py",
        80,
        (
            "throttled,method=post,path=/activity/note,times=1",
            "status,status=503,method=post,path=/task/,times=1",
        ),
    ),
    Sdk(
        "pipedrive",
        "pipedrive",
        "node/pipedrive.js",
        120,
        (
            "throttled,method=post,path=/v2/activities,skip=1,times=1",
            "throttled,policy=daily,method=post,path=/v2/deals,skip=1,times=1",
        ),
    ),
)


class Environment(Exception):
    """Something here is missing or broken, and what would help."""


def note(text):
    print(f"conformance: {text}", file=sys.stderr, flush=True)


def cache_folder():
    if named := os.environ.get("CALLFLUME_CACHE_DIR"):
        return pathlib.Path(named).absolute()
    if named := os.environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(named).absolute() / "callflume"
    if named := os.environ.get("HOME"):
        return pathlib.Path(named).absolute() / ".cache" / "callflume"
    raise Environment(
        "no cache folder: CALLFLUME_CACHE_DIR, XDG_CACHE_HOME and HOME are all unset; set CALLFLUME_CACHE_DIR"
    )


def fetched(what, command, **options):
    """Runs a command that fetches packages, again when it fails: connections break."""
    for attempt in range(1, FETCHES + 1):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        if done.returncode == 0:
            return
        note(f"{what} could not be fetched (attempt {attempt} of {FETCHES})")
        time.sleep(5 * attempt if attempt < FETCHES else 0)
    sys.stderr.write(done.stdout)
    raise Environment(f"{what} could not be fetched (its words are above): check the connection to the package index")


def installed(kind, inputs, install):
    """The folder that holds what these files pin; made when it isn't there. Several runs at once are safe."""
    # Wheels with machine code are one platform's and one interpreter's.
    machine = (sys.implementation.cache_tag, sysconfig.get_platform(), *platform.libc_ver())
    seal = hashlib.sha256(" ".join(machine).encode())
    for file in inputs:
        seal.update(file.read_bytes())
    folder = cache_folder() / f"conformance-{kind}-{seal.hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    note(f"fetching the {kind} SDKs into {folder}")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="conformance-incoming-") as incoming:
        target = pathlib.Path(incoming) / kind
        target.mkdir()
        install(target)
        # Another run may have been faster: what it made is the same.
        with contextlib.suppress(OSError):
            target.rename(folder)
    if not folder.is_dir():
        raise Environment(f"{folder} can't be made: set CALLFLUME_CACHE_DIR to a folder that can be written")
    return folder


def python_packages():
    pinned = HERE / "python" / "requirements.txt"
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True).returncode != 0:
        raise Environment(f"{sys.executable} has no pip: install it (Debian: apt-get install python3-pip)")

    def install(target):
        options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary", ":all:"]
        options += ["--require-hashes", "--target", str(target), "--requirement", str(pinned)]
        fetched("the Python SDKs", [*pip, "install", *options])

    return installed("python", [pinned], install)


def node_packages():
    inputs = [HERE / "node" / "package.json", HERE / "node" / "package-lock.json"]
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Environment("no node and npm found: install Node.js 20 or newer with npm")

    def install(target):
        for file in inputs:
            shutil.copy(file, target)
        fetched("the Node SDKs", [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=target)

    return installed("node", inputs, install) / "node_modules"


def built_simulator():
    note("building callflume-sim")
    command = ["cargo", "build", "--locked", "-p", "callflume-sim", "--message-format", "json-render-diagnostics"]
    try:
        done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise Environment("no cargo found: install Rust") from None
    if done.returncode != 0:
        raise Environment("callflume-sim doesn't build (the compiler's words are above)")
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "callflume-sim":
            return message["executable"]
    raise Environment("cargo built callflume-sim but named no executable")


class Running:
    """Every process that runs at the moment, so that all of them can be ended at once."""

    def __init__(self):
        self._lock = threading.Lock()
        self._processes = set()
        self._over = False

    def start(self, command, **options):
        with self._lock:
            if self._over:
                raise Environment("stopped")
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
            try:
                process = subprocess.Popen(command, **pipes, **options)
            except OSError as error:
                raise Environment(f"`{command[0]}` can't be started: {error.strerror}") from None
            self._processes.add(process)
            return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        with self._lock:
            self._processes.discard(process)

    def end_all(self):
        with self._lock:
            self._over = True
            for process in self._processes:
                process.kill()


RUNNING = Running()


class Fake:
    """A fake CRM that runs in a process of its own until the block ends."""

    def __init__(self, simulator, sdk):
        self._command = [simulator, "fake", sdk.vendor, "--port", "0", "--token", TOKEN, "--json"]
        self._command += ["--contacts", str(sdk.contacts)]
        for fault in sdk.faults:
            self._command += ["--fault", fault]

    def __enter__(self):
        self._errors = tempfile.TemporaryFile("w+")
        self._process = RUNNING.start(self._command, stderr=self._errors)
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.url = self._said("listening", LISTENING_S)["url"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def ended(self):
        """Ends it; what it counted."""
        self._process.terminate()
        return self._said("ended", ENDING_S)

    def __exit__(self, *_):
        # The reader ends with the process; only then may what it reads be closed.
        self._process.kill()
        self._reader.join()
        RUNNING.end(self._process)
        self._errors.close()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _said(self, event, within_s):
        try:
            line = self._lines.get(timeout=within_s)
        except queue.Empty:
            raise Environment(f"`{' '.join(self._command)}` didn't say `{event}` within {within_s} s") from None
        said = json.loads(line) if line and line.startswith("{") else {}
        if said.get("event") != event:
            self._errors.seek(0)
            raise Environment(f"`{' '.join(self._command)}` ended or said {line!r}: {self._errors.read().strip()}")
        return said


def environment(packages):
    """The scripts' environment: their packages, and no proxy between them and the loopback."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    kept |= {"NO_PROXY": "*", "NODE_PATH": str(packages["node"]), "PYTHONPATH": str(packages["python"])}
    kept |= {"PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC"}
    return kept


def outcome(sdk, simulator, packages):
    """What became of each check of an SDK, as (check, reason of the failure or None), and what its script wrote."""
    interpreter = sys.executable if sdk.script.endswith(".py") else "node"
    with Fake(simulator, sdk) as fake:
        command = [interpreter, str(HERE / sdk.script), fake.url, TOKEN]
        with tempfile.TemporaryFile("w+") as errors:
            process = RUNNING.start(command, stderr=errors, env=environment(packages))
            try:
                output, _ = process.communicate(timeout=SCRIPT_S)
                ending = f"exit code {process.returncode}"
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
                ending = f"stopped after {SCRIPT_S} s"
            finally:
                RUNNING.end(process)
            errors.seek(0)
            words = errors.read()
        counted = fake.ended()
    said = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    results = [(one["check"], one["failed"]) for one in said if "check" in one]
    whole = bool(said) and said[-1].get("checks") == len(results) > 0
    results.append(("the script came to its end", None if whole else ending))
    # What was scripted was met: a refusal that no SDK saw would prove nothing.
    faulted, wanted = counted["faulted"], sdk.struck()
    failed = None if faulted == wanted else f"{faulted} scripted refusals were met, expected {wanted}"
    results.append(("every scripted refusal was met", failed))
    unplanned = counted["throttled"]
    failed = None if unplanned == 0 else f"{unplanned} requests met a full limit: more than the checks should need"
    results.append(("no limit was met by accident", failed))
    return results, words


def chosen(names):
    if not names:
        return SDKS
    wanted = [sdk for sdk in SDKS if {sdk.name, sdk.vendor} & set(names)]
    for name in names:
        if not any(name in (sdk.name, sdk.vendor) for sdk in SDKS):
            known = sorted({sdk.vendor for sdk in SDKS}) + [sdk.name for sdk in SDKS]
            print(f"conformance: `{name}` is no SDK and no vendor; use one of {', '.join(known)}", file=sys.stderr)
            sys.exit(2)
    return tuple(wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="an SDK or a vendor; may be given several times")
    parser.add_argument("--sim", metavar="FILE", help="a callflume-sim that is built already")
    arguments = parser.parse_args()
    sdks = chosen(arguments.only or [])
    if sys.version_info < (3, 10):
        raise Environment(f"this is Python {platform.python_version()}: use 3.10 or newer")
    packages = {"python": python_packages(), "node": node_packages()}
    simulator = arguments.sim or built_simulator()

    checked, failures = 0, 0
    width = max(len(sdk.name) for sdk in sdks)
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        under_way = [(sdk, pool.submit(outcome, sdk, simulator, packages)) for sdk in sdks]
        for sdk, future in under_way:
            results, words = future.result()
            for check, failed in results:
                checked += 1
                failures += failed is not None
                print(f"{sdk.name:{width}}  {check}: {'ok' if failed is None else 'FAILED: ' + failed}", flush=True)
            if any(failed is not None for _, failed in results) and words:
                print(f"--- what {sdk.script} wrote:\n{words.rstrip()}\n---", file=sys.stderr, flush=True)
    finally:
        RUNNING.end_all()
        pool.shutdown(cancel_futures=True)
    print(f"{checked} checks of {len(sdks)} SDKs, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    # So that the fakes are ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except Environment as missing:
        note(str(missing))
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
