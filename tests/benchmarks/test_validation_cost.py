from types import SimpleNamespace

import numpy as np

from benchmarks import validation_cost
from models.event_table import EventTable


def test_now_a_tenth_is_set_aside_and_before_the_judging_events_fitted_the_blend(
    monkeypatch, capsys
):
    rng = np.random.default_rng(1)

    def events(count):
        features = rng.random((count, 28), np.float32)
        return EventTable(features, (features[:, :1] > 0.5).astype(np.float32))

    sample = SimpleNamespace(train=events(90), validation=events(10), test=events(20))
    sizes = []

    def fit(splits, *_, **__):
        sizes.append((len(splits.train), len(splits.validation)))
        return SimpleNamespace(model=lambda batch: batch)

    monkeypatch.setattr(validation_cost, "fit", fit)
    monkeypatch.setattr(validation_cost, "real_sample", lambda _: sample)
    monkeypatch.setattr(validation_cost, "apply_in_chunks", lambda _, features: features[:, :1])
    monkeypatch.setattr("sys.argv", ["validation_cost", "--csv", "rows.csv"])
    validation_cost.main()
    assert sizes == [(80, 20), (72, 8)]
    assert capsys.readouterr().out.splitlines() == [
        "seed 1, before: AUC 1.0000 on judging events, 1.0000 on test events",
        "seed 1, now: AUC 1.0000 on judging events, 1.0000 on test events",
    ]
