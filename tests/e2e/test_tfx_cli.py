"""TFX's own command line does the same job with the local orchestrator."""

import os
from pathlib import Path

from running import BIN, installed

from pipeline.metadata_store import latest_run

ROOT = Path(__file__).parents[2]


def tfx(*arguments, home, config):
    """`tfx` starts the pipeline in a process of its own."""
    environment = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "LOCAL_HOME": str(home),
        "HIGGS_CONFIG": str(config),
    }
    return installed("tfx", *arguments, folder=ROOT, **environment)


def test_pipeline_create_and_run_create(fresh_project, tmp_path):
    home = {"home": tmp_path / "tfx", "config": fresh_project.config}
    created = tfx(
        "pipeline", "create", "--engine=local", "--pipeline_path=pipeline/local_runner.py", **home
    )
    assert 'Pipeline "higgs" created successfully' in created.output, created.output[-3000:]
    assert not (fresh_project.root / "artifacts").exists()

    ran = tfx("run", "create", "--engine=local", "--pipeline_name=higgs", **home)
    assert ran.code == 0, ran.output[-3000:]
    outcome = latest_run(str(fresh_project.root / "metadata" / "metadata.sqlite"))
    assert {node.state for node in outcome.nodes.values()} == {"done"}
    version = outcome.push.version
    assert (fresh_project.root / "serving" / version / "saved_model.pb").exists()
