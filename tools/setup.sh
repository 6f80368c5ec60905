#!/usr/bin/env bash
# Builds .venv from constraints.txt: Python 3.10, every package checked against its hash, and
# this project as an editable install. Needs any python3 with venv. If uv is missing, it is
# installed into .uv, also checked against its hash.
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

# uv looks on PATH, which may include pyenv's shims, then downloads a Python. A shim fails if its
# 3.10 is not selected, so pyenv's own folders are tried as well.
make_venv() {
    local candidate
    for candidate in 3.10 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10*/bin/python; do
        if "$uv" venv --quiet --clear --python "$candidate" .venv 2>/dev/null; then
            return
        fi
    done
    fail "Python 3.10, which this project needs, was not found on PATH or in pyenv, and uv could not download it; install it (pyenv install 3.10) and run make again"
}

find_uv
echo "setup: building .venv (once; half a minute with a warm cache, minutes without)"
make_venv
"$uv" pip sync --quiet --require-hashes --python .venv/bin/python constraints.txt
"$uv" pip install --quiet --no-deps --no-build-isolation --python .venv/bin/python --editable .
touch .venv/.ready
