from types import SimpleNamespace

import numpy as np

from benchmarks import validation_cost
from models.event_table import EventTable


def test_a_tenth_is_set_aside_or_the_judging_events_fit_the_blend(monkeypatch, capsys):
    rng = np.random.default_rng(1)

    def events(count):
        features = rng.random((count, 28), np.float32)
        return EventTable(features, (features[:, :1] > 0.5).astype(np.float32))

    sample = SimpleNamespace(train=events(90), validation=events(10), test=events(20))
    sizes = []

    def train(splits, hyperparameters, _):
        is_refitted = len(splits) <= hyperparameters.refit_events
        sizes.append((len(splits.train), len(splits.validation), is_refitted))
        return SimpleNamespace(model=lambda batch: batch)

    monkeypatch.setattr(validation_cost, "train", train)
    monkeypatch.setattr(validation_cost, "real_sample", lambda _: sample)
    monkeypatch.setattr(validation_cost, "apply_in_chunks", lambda _, features: features[:, :1])
    monkeypatch.setattr("sys.argv", ["validation_cost", "--csv", "rows.csv"])
    validation_cost.main()
    assert sizes == [(80, 20, False), (72, 8, False), (72, 8, True)]
    assert capsys.readouterr().out.splitlines() == [
        f"seed 1, {way}: AUC 1.0000 on judging events, 1.0000 on test events"
        for way in ("nothing set aside", "a tenth set aside", "a tenth set aside, then refit")
    ]
