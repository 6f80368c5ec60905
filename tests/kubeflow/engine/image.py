"""Builds on this machine what a stage of a Dockerfile builds in an image."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile_parse import DockerfileParser


@dataclass
class Stage:
    """A stage's instructions, carried out with folders of the image moved under another.

    Attributes:
      repository: the build's context.
      moved: folders of the image by where they are here.
      path: the folder with the base image's ``python``.
    """

    repository: Path
    moved: dict[str, Path]
    path: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path("/")

    def build(self, dockerfile: Path, stage: str) -> None:
        """Carries out COPY, ENV, WORKDIR and RUN of a stage."""
        for step in instructions(dockerfile, stage):
            getattr(self, step["instruction"].lower())(step["value"])

    def workdir(self, value):
        self.folder = Path(self._here(value))
        self.folder.mkdir(parents=True)

    def env(self, value):
        self.environment.update(pair.split("=", 1) for pair in value.split())

    def copy(self, value):
        *sources, destination = value.split()
        for source in sources:
            given = self.repository / source
            target = self.folder / destination
            if given.is_dir():
                shutil.copytree(given, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(given, target)

    def run(self, value):
        command = self._here(re.sub(r"--mount=\S+ ", "", value))
        environment = {
            **os.environ,
            **self.environment,
            "PATH": f"{self.path}:{os.environ['PATH']}",
            # What a cache on the same disk allows, and a container's does not.
            "UV_LINK_MODE": "hardlink",
        }
        subprocess.run(["/bin/sh", "-ec", command], cwd=self.folder, env=environment, check=True)

    def _here(self, text):
        for folder, here in self.moved.items():
            text = text.replace(folder, str(here))
        return text


def instructions(dockerfile: Path, stage: str | None = None) -> list[dict]:
    """The instructions of a stage without its FROM, or all of the file."""
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
