import pytest
from tfx.utils import dependency_utils

from formats.push_directory import last_used_version, next_version
from pipeline import local_runner
from pipeline.config import Config
from pipeline.local_runner import keep_versions


@pytest.fixture
def config(used_root):
    return Config(data_root="/data", root=str(used_root))


def test_a_recorded_version_is_not_assigned_again_in_an_emptied_directory(config, used_root):
    for path in (used_root / "serving" / "17").iterdir():
        path.unlink()
    (used_root / "serving" / "17").rmdir()
    keep_versions(config)
    assert next_version(config.push_directory, 10.0) == 18
    (used_root / "serving" / ".last_version").write_text("20\n")
    keep_versions(config)
    assert last_used_version(config.push_directory) == 20


def test_a_root_without_pushes_gets_no_push_directory(record_in, tmp_path):
    record_in(tmp_path / "new")
    keep_versions(Config(data_root="/data", root=str(tmp_path / "new")))
    assert not (tmp_path / "new" / "serving").exists()


def test_no_node_packages_tfx_for_workers(config, monkeypatch):
    packaged = []

    def run_nodes(*_):
        packaged.append(dependency_utils.make_beam_dependency_flags(["--runner=FlinkRunner"]))

    monkeypatch.setattr(dependency_utils, "make_beam_dependency_flags", lambda _: ["sdist"])
    monkeypatch.setattr(local_runner, "local_content_key", lambda _: "key")
    monkeypatch.setattr(local_runner.VerifiedRunner, "run", run_nodes)
    local_runner.run(config)
    assert packaged == [["--runner=FlinkRunner"]]
