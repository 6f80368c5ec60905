"""Builds a stage of a Dockerfile on this machine, without a container."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile_parse import DockerfileParser


@dataclass
class Stage:
    """A stage whose instructions run with local folders in place of the image's.

    Attributes:
        repository: the build context.
        local_folders: local folders by the image's folders.
        path: the folder with the base image's ``python``.
        environment: variables set by ENV.
        folder: the working directory.
    """

    repository: Path
    local_folders: dict[str, Path]
    path: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path("/")

    def build(self, dockerfile: Path, stage: str) -> None:
        """Executes COPY, ENV, WORKDIR and RUN of a stage."""
        for step in instructions(dockerfile, stage):
            getattr(self, step["instruction"].lower())(step["value"])

    def workdir(self, value):
        self.folder = Path(self._localize(value))
        self.folder.mkdir(parents=True)

    def env(self, value):
        self.environment.update(pair.split("=", 1) for pair in value.split())

    def copy(self, value):
        *sources, destination = value.split()
        for source in sources:
            original = self.repository / source
            target = self.folder / destination
            if original.is_dir():
                shutil.copytree(original, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(original, target)

    def run(self, value):
        command = self._localize(re.sub(r"--mount=\S+ ", "", value))
        environment = {
            **os.environ,
            **self.environment,
            "PATH": f"{self.path}:{os.environ['PATH']}",
            # Possible here because the cache is on the same disk, unlike in a container.
            "UV_LINK_MODE": "hardlink",
            # A minute of work, most of it on modules that no node imports.
            "UV_COMPILE_BYTECODE": "0",
        }
        run_from_cache(["/bin/sh", "-ec", command], cwd=self.folder, env=environment)

    def _localize(self, text):
        for folder, local_folder in self.local_folders.items():
            text = text.replace(folder, str(local_folder))
        return text


def run_from_cache(command: list, *, env: Mapping[str, str] = os.environ, **options) -> None:
    """Runs a command that calls uv, without the registry if the cache has all packages.

    uv would ask the registry about each of them for a minute, even if it has installed them before.
    """
    if subprocess.run(command, env={**env, "UV_OFFLINE": "1"}, **options).returncode:
        subprocess.run(command, env=env, check=True, **options)


def instructions(dockerfile: Path, stage: str | None = None) -> list[dict]:
    """The instructions of a stage without its FROM, or of the whole file."""
    with dockerfile.open("rb") as stream:
        steps = [
            step
            for step in DockerfileParser(fileobj=stream).structure
            if step["instruction"] != "COMMENT"
        ]
    if stage is None:
        return steps
    starts = [i for i, step in enumerate(steps) if step["instruction"] == "FROM"]
    for start, end in zip(starts, [*starts[1:], len(steps)], strict=True):
        if steps[start]["value"].upper().endswith(f" AS {stage.upper()}"):
            return steps[start + 1 : end]
    raise LookupError(f"no stage {stage} in {dockerfile}")
