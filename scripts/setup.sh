#!/bin/sh
# Installs the pinned npm packages (the Node 26 runtime among them) when they are missing or older than the lock file.
# Every npm script calls this first, so that a fresh clone needs nothing but Node >= 20 and npm.
set -eu
cd "$(dirname "$0")/.."
stamp=node_modules/.ambient-setup
if [ ! -f "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
  echo "setup: installing npm packages (about half a minute)" >&2
  # Not `npm ci`: it refuses a lock file made where a registry does not serve the binaries of other platforms. This takes
  # the locked versions and their checksums just as well, and leaves the lock file as it is.
  npm install --no-save --no-audit --no-fund --loglevel=error >&2
  touch "$stamp"
fi
