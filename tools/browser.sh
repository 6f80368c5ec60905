#!/usr/bin/env bash
# Finds the browser for the report tests, or installs Debian's with apt when run as root.
# Elsewhere it prints what is missing and exits with 0. The tests that need the browser are then
# skipped with the reason; with HIGGS_BROWSER=required they fail.
set -euo pipefail

packages="chromium chromium-driver"

has_browser() {
    command -v chromium >/dev/null && command -v chromedriver >/dev/null
}

has_browser && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "browser: installing $packages with apt (once)"
    export DEBIAN_FRONTEND=noninteractive
    # A mirror that does not answer must not delay the tests for long.
    limits="-o Acquire::Retries=1 -o Acquire::http::Timeout=20"
    timeout 60 apt-get -qq $limits update &&
        timeout 240 apt-get -qq $limits install --no-install-recommends $packages >/dev/null || true
fi
has_browser || echo "browser: chromium or chromedriver not found; to run the report tests in a real" \
    "browser, install $packages (Debian) or put both on PATH" >&2
