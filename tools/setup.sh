#!/usr/bin/env bash
# Builds .venv from constraints.txt: Python 3.10, every package at its hash, this project editable.
# Needs any python3 with venv; brings its own uv, at its hash, into .uv when there is none.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "setup: $*" >&2
    exit 1
}

find_uv() {
    if command -v uv >/dev/null; then
        uv=uv
        return
    fi
    uv=.uv/bin/uv
    [ -x "$uv" ] && return
    python3 -m venv .uv || fail "python3 with venv is needed to fetch uv; install it (Debian: apt-get install python3-venv)"
    awk '/^[a-z]/ { wanted = /^uv==/ } wanted' constraints.txt >.uv/uv.txt
    .uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .uv/uv.txt
}

# uv asks PATH (pyenv's shims too, which read .python-version), then its own downloads. A shim
# whose 3.10 is not selected fails rather than passes, so pyenv's versions are asked as well.
make_venv() {
    local candidate
    for candidate in 3.10 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10*/bin/python; do
        if "$uv" venv --quiet --clear --python "$candidate" .venv 2>/dev/null; then
            return
        fi
    done
    fail "no Python 3.10, which TFX 1.16 needs: none on PATH or in pyenv, and uv could not download one; install it (pyenv install 3.10) and run make again"
}

find_uv
echo "setup: building .venv (once; half a minute with a warm cache, minutes without)"
make_venv
"$uv" pip sync --quiet --require-hashes --python .venv/bin/python constraints.txt
"$uv" pip install --quiet --no-deps --no-build-isolation --python .venv/bin/python --editable .
touch .venv/.ready
