import json

from models.history import TrainingRecord, by_epoch
from models.strategy import Hardware


def test_history_is_turned_into_a_row_an_epoch():
    assert by_epoch({"loss": [0.6, 0.5], "val_auc": [0.7, 0.8], "lr": [1e-3, 2e-4]}) == [
        {"epoch": 1, "loss": 0.6, "val_auc": 0.7, "learning_rate": 1e-3},
        {"epoch": 2, "loss": 0.5, "val_auc": 0.8, "learning_rate": 2e-4},
    ]


def test_record_is_written_as_plain_json(tmp_path):
    record = TrainingRecord(
        seed=1,
        strategy=Hardware("gpu", 2, ("GPU:0", "GPU:1")),
        hyperparameters={"units": 8},
        parameters={"wide": 29, "deep": 300, "total": 329},
        events={"train": 100, "eval": 50},
        batch_size=10,
        steps_per_epoch=10,
        epochs=[{"epoch": 1, "loss": 0.5}],
        epoch_kept=1,
        seconds=2.5,
    )
    record.write(str(tmp_path))
    assert json.loads((tmp_path / "training.json").read_text()) == {
        "seed": 1,
        "strategy": {"kind": "gpu", "replicas": 2, "devices": ["GPU:0", "GPU:1"]},
        "hyperparameters": {"units": 8},
        "parameters": {"wide": 29, "deep": 300, "total": 329},
        "events": {"train": 100, "eval": 50},
        "batch_size": 10,
        "steps_per_epoch": 10,
        "epochs": [{"epoch": 1, "loss": 0.5}],
        "epoch_kept": 1,
        "seconds": 2.5,
    }
