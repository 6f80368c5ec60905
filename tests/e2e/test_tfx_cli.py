"""TFX's own command line does the same job with the local orchestrator."""

import os
import subprocess
import sys
from pathlib import Path

from pipeline.metadata_store import latest_run

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]


def tfx(*arguments, home, config):
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "LOCAL_HOME": str(home),
        "HIGGS_CONFIG": str(config),
    }
    return subprocess.run(
        [str(BIN / "tfx"), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_pipeline_create_and_run_create(fresh_project, tmp_path):
    home = {"home": tmp_path / "tfx", "config": fresh_project.config}
    created = tfx(
        "pipeline", "create", "--engine=local", "--pipeline_path=pipeline/local_runner.py", **home
    )
    assert 'Pipeline "higgs" created successfully' in created.stdout, created.stdout[-3000:]
    assert not (fresh_project.root / "artifacts").exists()

    ran = tfx("run", "create", "--engine=local", "--pipeline_name=higgs", **home)
    assert ran.returncode == 0, ran.stdout[-3000:]
    outcome = latest_run(str(fresh_project.root / "metadata" / "metadata.sqlite"))
    assert {node.state for node in outcome.nodes.values()} == {"done"}
    version = outcome.push.version
    assert (fresh_project.root / "serving" / version / "saved_model.pb").exists()
