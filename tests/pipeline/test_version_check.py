"""A version outside any root: its provenance, and whether the files match it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from export_makers import push

from formats.artifact_manifest import take_manifest
from formats.provenance import FILE_NAME, Provenance, file_hashes
from pipeline.cli.report_commands import lineage


@pytest.fixture
def version(tmp_path):
    """A version with its provenance, copied to a folder of another name."""
    folder = push(tmp_path / "serving", "17")
    record = Provenance(
        version="17",
        pipeline="higgs",
        run="2026-11-27T00:00:00",
        pushed_at="2026-11-27T01:00:00+01:00",
        evaluation={
            "events": 2000,
            "auc": 0.75,
            "baseline_auc": 0.74,
            "baseline_version": "16",
            "gates": [
                {"name": "events", "value": 2000, "limit": 1000, "margin": 1000},
                {
                    "name": "AUC",
                    "value": 0.75,
                    "limit": 0.7,
                    "margin": 0.05,
                    "interval": [0.73, 0.77],
                },
                {"name": "difference in AUC", "value": 0, "limit": 0.1, "margin": -0.1},
                {"name": "rejection", "value": None, "limit": 20, "margin": None},
                {"name": "calibration error", "value": 0.01, "limit": 0.02, "margin": 0.01},
            ],
        },
        data={"train": {"events": 4000, "fingerprint": "9d2c5f6b01e84a37"}},
        schema_sha256="a" * 64,
        code_version="0.1.0, sources 1f0e5a7c",
        packages={"tensorflow": "2.16.2", "numpy": "1.26.4"},
        files=file_hashes(take_manifest(folder)),
    )
    Path(folder, FILE_NAME).parent.mkdir()
    Path(folder, FILE_NAME).write_text(record.to_json())
    return shutil.copytree(folder, tmp_path / "mail attachment #1")


def call(folder):
    done = CliRunner().invoke(lineage, [str(folder)])
    return done.exit_code, done.output


def test_a_whole_version_says_where_it_comes_from(version):
    code, output = call(version)
    assert code == 0
    assert output.splitlines() == [
        "version 17, pushed 2026-11-27 00:00:00 UTC",
        "by pipeline higgs, run 2026-11-27T00:00:00",
        "AUC 0.7500 on 2,000 events, baseline 0.7400 (version 16)",
        "gate: events 2,000, at least 1,000 needed: passed by 1,000",
        "gate: AUC 0.7500, at least 0.7000 needed: passed by 0.0500; "
        "95 % interval 0.7300 to 0.7700",
        "gate: difference in AUC 0.0000, at least 0.1000 needed: missed by 0.1000",
        "gate: rejection undefined, at least 20.0000 needed",
        "gate: calibration error 0.0100, at most 0.0200 needed: passed by 0.0100",
        "data: 4,000 train events, fingerprint 9d2c5f6b01e84a37",
        f"schema: SHA-256 {'a' * 64}",
        "code: 0.1.0, sources 1f0e5a7c",
        "packages: tensorflow 2.16.2, numpy 1.26.4",
        "verified: 2 files, 4 bytes, as they were pushed",
    ]


def test_every_missing_changed_and_new_file_of_a_damaged_version_is_listed(version):
    (version / "saved_model.pb").unlink()
    (version / "variables" / "variables.index").write_text("71")
    (version / "assets.extra" / "new").write_text("")
    code, output = call(version)
    assert code == 1
    assert output.splitlines()[-4:] == [
        "DAMAGED: this is not the model that was pushed",
        "assets.extra/new was added",
        "saved_model.pb is missing (2 bytes)",
        "variables/variables.index has other content (2 bytes, another SHA-256)",
    ]


def test_a_folder_without_provenance_is_named_with_what_to_give_instead(version, tmp_path):
    (version / FILE_NAME).unlink()
    code, output = call(version)
    assert code == 1
    assert f"Error: {version} has no {FILE_NAME} (No such file or directory); it is no" in output
    code, output = call(tmp_path / "serving")
    assert code == 1
    assert f"give the folder of a version, such as {tmp_path}/serving/17" in output
    code, output = call(tmp_path / "nowhere")
    assert code == 1
    assert f"{tmp_path}/nowhere is not a folder" in output


def test_provenance_that_is_not_one_is_refused_without_its_control_characters(version):
    text = (version / FILE_NAME).read_text()
    (version / FILE_NAME).write_text(text.replace('"higgs"', '"\\u001b[31mhiggs"'))
    code, output = call(version)
    assert code == 1
    assert "pipeline: Value error, contains a control character" in output
    assert "\x1b" not in output


def test_provenance_that_was_changed_is_refused(version):
    text = (version / FILE_NAME).read_text()
    (version / FILE_NAME).write_text(text.replace('"events": 4000', '"events": 4001'))
    code, output = call(version)
    assert code == 1
    assert f"{version}: {FILE_NAME} was changed: its content does not have its SHA-256" in output
    assert "files, " not in output


@pytest.mark.slow
def test_it_needs_no_tensorflow(version):
    code = (
        "import sys; from pipeline.cli.report_commands import lineage;"
        "lineage([sys.argv[1]], standalone_mode=False);"
        "sys.exit('tensorflow' in sys.modules or 'tfx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, version], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
