import hashlib
import json
import math
import subprocess
import sys
from contextlib import suppress
from datetime import datetime, timezone

import pytest
from pydantic import ValidationError

from formats import provenance
from formats.artifact_manifest import FileDigest, manifest_digest
from formats.provenance import DIGEST_KEY, Provenance, file_hashes, finite

MANIFEST = {"variables/a": FileDigest(3, "a" * 64), "saved_model.pb": FileDigest(5, "b" * 64)}


def make(**changes):
    values = {
        "version": "1795726963",
        "pipeline": "higgs",
        "run": "2026-11-27T00:00:00.5",
        "pushed_at": datetime(2026, 11, 27, 0, 5, tzinfo=timezone.utc),
        "evaluation": {
            "events": 2000,
            "auc": 0.75,
            "gates": [{"name": "AUC", "value": 0.75, "limit": 0.7, "margin": 0.05}],
        },
        "data": {"train": {"events": 4000, "fingerprint": "9d2c5f6b01e84a37"}},
        "packages": {"tensorflow": "2.16.2"},
        "files": file_hashes(MANIFEST),
    }
    return Provenance.model_validate({**values, **changes})


def test_what_is_written_is_read_back():
    written = make()
    assert Provenance.from_json(written.to_json()) == written
    assert written.to_json() == make().to_json()


def test_the_file_is_plain_json_with_the_time_in_utc():
    content = json.loads(make().to_json(), parse_constant=pytest.fail)
    assert content["pushed_at"] == "2026-11-27T00:05:00Z"
    assert content["version"] == "1795726963"
    assert list(content["files"]) == ["saved_model.pb", "variables/a"]
    assert content["files"]["variables/a"] == {"bytes": 3, "sha256": "a" * 64}


def test_files_are_a_manifest_and_one_digest_of_the_model():
    assert make().manifest == MANIFEST
    assert make().model_sha256 == manifest_digest(MANIFEST) == make(version="7").model_sha256


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_undefined_numbers_are_null(value):
    assert finite(value) is None
    evaluation = {"events": 2, "auc": finite(value)}
    assert json.loads(make(evaluation=evaluation).to_json())["evaluation"]["auc"] is None


@pytest.mark.parametrize("path", ["", ".", "/etc/passwd", "../x", "a/../../x", "a\n", "a//b", "a/"])
def test_paths_outside_the_model_are_refused(path):
    with pytest.raises(ValidationError):
        make(files={path: {"bytes": 1, "sha256": "a" * 64}})


@pytest.mark.parametrize(
    "change",
    [
        {"version": "0123"},
        {"version": "v2"},
        {"pipeline": "\x1b[31mred"},
        {"pushed_at": "2026-11-27T00:00:00"},
        {"files": {}},
        {"files": {"saved_model.pb": {"bytes": -1, "sha256": "a" * 64}}},
        {"files": {"saved_model.pb": {"bytes": 1, "sha256": "A" * 64}}},
        {"format": 3},
    ],
)
def test_other_content_is_refused_in_one_line(change):
    content = {**json.loads(make().to_json()), **change}
    with pytest.raises(ValueError, match="cannot be used: ") as caught:
        Provenance.from_json(json.dumps(content))
    assert "\n" not in str(caught.value)
    assert next(iter(change)) in str(caught.value)


def test_torn_json_is_refused():
    with pytest.raises(ValueError, match="cannot be used"):
        Provenance.from_json(make().to_json()[:-40])


def test_fields_of_newer_releases_are_ignored_and_part_of_the_digest():
    content = {**json.loads(make().to_json()), "later": 1}
    own = content.pop(DIGEST_KEY)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content[DIGEST_KEY] = hashlib.sha256(canonical.encode()).hexdigest()
    assert Provenance.from_json(json.dumps(content)) == make()
    content["later"] = 2
    with pytest.raises(ValueError, match="was changed"):
        Provenance.from_json(json.dumps(content))
    content[DIGEST_KEY] = own
    del content["later"]
    assert Provenance.from_json(json.dumps(content, indent=8)) == make()


@pytest.mark.slow
def test_every_flipped_bit_is_detected():
    content = make().to_json().encode()
    unnoticed = []
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            with suppress(ValueError):
                if Provenance.from_json(bytes(flipped)) != make():
                    unnoticed.append((place, bit))
    assert unnoticed == []


@pytest.mark.parametrize("change", [{"run": "another"}, {DIGEST_KEY: "a" * 64}, {DIGEST_KEY: None}])
def test_a_changed_file_that_is_still_valid_is_refused(change):
    content = {**json.loads(make().to_json()), **change}
    with pytest.raises(ValueError, match=r"provenance\.json was changed: "):
        Provenance.from_json(json.dumps(content))


def test_a_lost_digest_is_detected():
    content = json.loads(make().to_json())
    content[DIGEST_KEY.replace("2", "3")] = content.pop(DIGEST_KEY)
    with pytest.raises(ValueError, match="was changed"):
        Provenance.from_json(json.dumps(content))


def test_files_of_earlier_releases_have_no_digest():
    content = json.loads(make().to_json())
    content |= {"format": 1, "run": "another"}
    del content[DIGEST_KEY]
    old = Provenance.from_json(json.dumps(content))
    assert (old.format, old.run) == (1, "another")
    assert json.loads(old.to_json()) == content


@pytest.mark.slow
def test_reading_it_needs_no_tensorflow():
    code = "import sys, formats.provenance; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert provenance.FILE_NAME.startswith("assets.extra/")
