#!/usr/bin/env bash
# Finds the browser that the tests open reports in, or installs Debian's where it may: as root,
# with apt. Anywhere else it says what is missing and succeeds: the tests that need it are then
# skipped, with the reason, unless HIGGS_BROWSER=required makes them fail.
set -euo pipefail

packages="chromium chromium-driver"

found() {
    command -v chromium >/dev/null && command -v chromedriver >/dev/null
}

found && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "browser: installing $packages with apt (once)"
    export DEBIAN_FRONTEND=noninteractive
    # A mirror that does not answer must not hold up the tests for long.
    patient="-o Acquire::Retries=1 -o Acquire::http::Timeout=20"
    timeout 60 apt-get -qq $patient update &&
        timeout 240 apt-get -qq $patient install --no-install-recommends $packages >/dev/null || true
fi
found || echo "browser: no chromium with chromedriver; for the tests of the report in a real" \
    "browser install $packages (Debian) or put both on PATH" >&2
