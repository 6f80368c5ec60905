import platform
from importlib import metadata

from formats import package_versions


def test_installed_versions_are_listed():
    versions = package_versions.package_versions()
    assert list(versions)[:2] == ["python", "higgs-pipeline"]
    assert versions["python"] == platform.python_version()
    assert versions["tfx"] == metadata.version("tfx")
    assert all(versions.values())


def test_project_that_is_not_installed_has_no_packages(monkeypatch):
    monkeypatch.setattr(package_versions, "PROJECT", "a-project-that-is-not-installed")
    assert package_versions.package_versions() == {"python": platform.python_version()}
