#!/usr/bin/env bash
# Fetches what the engines need into .engines: jars with Maven, and pyspark into an environment of
# its own, all checked against hashes. If something is missing, .engines/missing says what, and
# the tests that need the engines are skipped with that reason.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tools/engines
out=.engines
mkdir -p "$out"
printf '*\n' >"$out/.gitignore"

fail() {
    echo "$*" >"$out/missing"
    echo "engines: $*" >&2
    exit 1
}

java_version() {
    java -version 2>&1 | sed -nE 's/.* version "(1\.)?([0-9]+).*/\2/p' | head -n 1
}

fetch_jars() {
    local engine=$1 log="$out/$1.log"
    (cd "$out/$engine" 2>/dev/null && sha256sum --check --strict --status "../../$here/$engine.sha256") && return
    rm -rf "${out:?}/$engine"
    echo "engines: fetching the jars of $engine (once)"
    timeout 300 mvn -q -B -C -f $here/pom.xml -P "$engine" dependency:copy-dependencies \
        -DoutputDirectory="$PWD/$out/$engine" >"$log" 2>&1 </dev/null ||
        fail "Maven could not fetch the jars of $engine: $(grep -m 1 -o 'Could not.*\|Failed to.*' "$log" | cut -c 1-200 || echo "see $log")"
    (cd "$out/$engine" && sha256sum --check --strict --quiet "../../$here/$engine.sha256") >"$log" 2>&1 ||
        fail "the jars of $engine differ from $here/$engine.sha256: $(head -n 1 "$log")"
}

fetch_pyspark() {
    local uv
    uv=$(command -v .venv/bin/uv uv .uv/bin/uv | head -n 1) || fail "uv is missing; run make setup"
    cmp -s $here/pyspark.txt "$out/pyspark/.ready" && return
    echo "engines: installing pyspark into $out/pyspark (once)"
    { "$uv" venv --quiet --clear --python .venv/bin/python "$out/pyspark" &&
        timeout 300 "$uv" pip sync --quiet --require-hashes --python "$out/pyspark/bin/python" $here/pyspark.txt; } \
        >"$out/pyspark.log" 2>&1 || fail "pyspark could not be installed: $(grep -m 1 . "$out/pyspark.log")"
    cp $here/pyspark.txt "$out/pyspark/.ready"
}

command -v java >/dev/null || fail "Java 11 or later is missing (Debian: apt-get install openjdk-17-jre-headless)"
version=$(java_version)
[ "${version:-0}" -ge 11 ] || fail "Java ${version:-of an unknown version} is too old; the engines need Java 11 or later"
command -v mvn >/dev/null || fail "Maven is missing (Debian: apt-get install maven)"
fetch_jars flink
fetch_jars spark
fetch_pyspark
rm -f "$out/missing" "$out"/*.log
