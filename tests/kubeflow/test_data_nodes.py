"""The nodes up to DataGate as Kubeflow runs them, in this process."""

from contextlib import redirect_stderr

import numpy as np
import pytest
from click.testing import CliRunner
from engine.kubeflow import KubeflowEngine

from formats.features import FEATURES
from formats.published.record import Events, encode_events, read_events
from kubeflow import container
from pipeline.cli.main import main


def spoil_first_event(shard, **values):
    with shard.open("rb") as stream:
        events = next(read_events(stream, str(shard)))
    features = events.features.copy()
    for name, value in values.items():
        features[0, FEATURES.index(name)] = value
    shard.write_bytes(encode_events(Events(features, events.labels)))


@pytest.mark.slow
def test_nan_and_invalid_b_tags_end_with_4_and_start_no_other_node(tmp_path, compiled):
    data = tmp_path / "data"
    command = ["generate", "--events", "900", "--validation-events", "300", "--seed", "1"]
    assert CliRunner().invoke(main, [*command, "--out", str(data)]).exit_code == 0
    spoil_first_event(min((data / "training").iterdir()), m_bb=np.nan, jet_1_b_tag=0.5)
    codes = {}

    def start(command, log):
        with log.open("w") as file, redirect_stderr(file):
            codes[log.parent.name] = container.run(container.parse(command[2:]))
        return codes[log.parent.name]

    text = compiled("kubeflow", "beam.args=[]").read_text().replace("/mnt/data/higgs", str(data))
    tasks = KubeflowEngine(tmp_path / "engine", start).run(text, "minio://bucket/root")
    assert {name: code for name, code in codes.items() if code} == {"DataGate": 4}
    log = tasks["DataGate"].log.read_text()
    assert "DATA REFUSED" in log
    assert "train: m_bb" in log
    assert "train: jet_1_b_tag: 1 event has an invalid value, such as 0.5" in log
    others = {name: task.state for name, task in tasks.items() if name not in codes}
    assert set(others.values()) == {"not triggered"}
    assert {"Trainer", "Evaluator", "Pusher", "PushGate", "Report"} <= others.keys()
