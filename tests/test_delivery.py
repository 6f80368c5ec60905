"""The CI workflow and Cloud Build's file refer to existing files and match their schemas."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli.main import main

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())


@pytest.fixture(scope="module")
def cloud_build():
    return yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())


def commands(workflow):
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [line for step in steps for line in step.get("run", "").splitlines()]


def stages(dockerfile):
    return set(re.findall(r"^FROM \S+ AS (\w+)$", dockerfile.read_text(), re.MULTILINE))


def option(args, name):
    return args[args.index(name) + 1] if name in args else None


def test_the_workflow_runs_the_linters_and_the_tests(workflow):
    targets = {line.split()[1] for line in commands(workflow) if line.startswith("make ")}
    assert {"lint", "test"} <= targets
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets <= known


def test_actions_are_pinned_by_hash(workflow):
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert actions
    assert [action for action in actions if not re.search(r"@[0-9a-f]{40}$", action)] == []


def test_every_job_ends_and_may_only_read(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


@pytest.mark.slow
def test_the_workflow_compiles_both_targets(workflow, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    lines = [line for line in commands(workflow) if "higgs compile" in line]
    assert len(lines) == 2
    for line in lines:
        _, *arguments = line.replace("compiled/", f"{tmp_path}/").split()
        assert CliRunner().invoke(main, arguments).exit_code == 0
    assert {file.name for file in tmp_path.iterdir()} == {"vertex.json", "kubeflow.yaml"}


def test_the_image_is_built_from_an_existing_dockerfile(workflow):
    [build] = [
        step["with"]
        for step in workflow["jobs"]["image"]["steps"]
        if step.get("uses", "").startswith("docker/build-push-action")
    ]
    assert (ROOT / build["file"]).is_file()
    assert build["cache-to"].startswith("type=gha")


def test_cloud_build_builds_the_images_of_the_configuration(cloud_build):
    substitutions = cloud_build["substitutions"]
    images = [
        image.replace("${_IMAGES}", substitutions["_IMAGES"])
        .replace("${_VERSION}", "0.1.0")
        .replace("${PROJECT_ID}", "my-project")
        for image in cloud_build["images"]
    ]
    vertex = yaml.safe_load((ROOT / "configs/vertex.yaml").read_text())["vertex"]
    named = {vertex["image"], vertex["worker_image"], vertex["training"]["image"]}
    assert named <= set(images)


def test_cloud_build_refers_to_existing_stages_and_steps(cloud_build):
    steps = {step["id"]: step for step in cloud_build["steps"]}
    for step in steps.values():
        assert set(step.get("waitFor", [])) <= steps.keys()
        if step["args"][0] == "build":
            dockerfile = ROOT / option(step["args"], "--file")
            target = option(step["args"], "--target")
            assert target is None or target in stages(dockerfile)
    built = {option(step["args"], "--tag") for step in steps.values()} - {None}
    assert built == set(cloud_build["images"])


def test_cloud_build_needs_no_hash_of_libtpu_for_the_other_images(cloud_build, tmp_path):
    [tpu] = [step for step in cloud_build["steps"] if step["id"] == "tpu"]
    assert not any("tpu" in image for image in cloud_build["images"])
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\necho "docker $*"\n')
    docker.chmod(0o755)

    def run(digest):
        script = tpu["args"][-1]
        values = {"_LIBTPU_SHA256": digest, "_IMAGES": "images", "_VERSION": "0.1.0"}
        for name, value in values.items():
            script = script.replace(f"${{{name}}}", value)
        command = [tpu["entrypoint"], *tpu["args"][:-1], script]
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert "docker" not in run("").stdout
    build, push = run("ab12").stdout.splitlines()
    assert "--build-arg LIBTPU_SHA256=ab12 --tag images/higgs-tpu:0.1.0 ." in build
    assert push == "docker push images/higgs-tpu:0.1.0"
    dockerfile = ROOT / option(build.split(), "--file")
    assert "ARG LIBTPU_SHA256" in dockerfile.read_text()


@pytest.mark.slow
def test_the_bill_of_materials_lists_every_pinned_package_with_its_hashes(tmp_path):
    recipe = re.search(r"^sbom:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    words = recipe.replace("\\\n", " ").replace("$(BIN)", str(Path(sys.executable).parent)).split()
    command = [words[0].removeprefix("@"), *words[1:-1], str(tmp_path / words[-1])]
    # `make sbom` validates against the schema, which takes 14 s.
    command.append("--no-validate")
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    bom = json.loads((tmp_path / "sbom.cdx.json").read_text())
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    pins = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", constraints(), re.MULTILINE)
    listed = {(part["name"], part["version"]): part for part in bom["components"]}
    assert listed.keys() == set(pins)
    assert all(
        part["purl"] == f"pkg:pypi/{name}@{version}" for (name, version), part in listed.items()
    )
    hashes = {
        digest["content"]
        for part in bom["components"]
        for reference in part["externalReferences"]
        for digest in reference["hashes"]
    }
    assert hashes == set(re.findall(r"--hash=sha256:([0-9a-f]{64})", constraints()))


def constraints():
    return (ROOT / "constraints.txt").read_text()


def test_every_target_of_the_fuzzer_is_run():
    from fuzz_targets import TARGETS

    line = re.search(r"for target in (.*); do", (ROOT / "Makefile").read_text())[1]
    assert line.split() == list(TARGETS)
