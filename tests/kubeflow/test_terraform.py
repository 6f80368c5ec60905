"""The Terraform file creates what the guide's commands create."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tools" / "terraform" / "vertex" / "main.tf"
COMMANDS = (ROOT / "docs" / "cloud.md").read_text().partition("## Kubeflow Pipelines, step")[0]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_terraform_parses_the_file_and_finds_it_formatted():
    command = ["terraform", "fmt", "-check", "-diff", FILE.name]
    result = subprocess.run(command, cwd=FILE.parent, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_services_and_roles_are_those_of_the_guide():
    content = FILE.read_text()
    services = r"\b[a-z]+\.googleapis\.com"
    assert set(re.findall(services, content)) == set(re.findall(services, COMMANDS))
    loops = [role for loop in re.findall(r"for role in (.+);", COMMANDS) for role in loop.split()]
    named = re.findall(r"roles/([a-zA-Z]+\.[a-zA-Z]+)", COMMANDS)
    assert set(re.findall(r"roles/([\w.]+)", content)) == {*loops, *named}
