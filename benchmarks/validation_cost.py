"""The cost of setting validation events aside, and how much of it the refit recovers.

python -m benchmarks.validation_cost --csv HIGGS.csv.gz --seeds 3

The last 6,233 rows of the CSV are for testing, the fifth before them for judging. In the first
variant the Trainer trains on all other rows and fits the blend on the judging rows. In the others
it sets a tenth of these rows aside; the last variant is the default, which then trains again on all
of them.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.quality_samples import real_sample
from benchmarks.trainings import train
from formats.hyperparameters import Hyperparameters, resolve
from models.event_table import EventTable, apply_in_chunks
from models.training.event_survey import Splits

JUDGING_SHARE, VALIDATION_SHARE = 0.2, 0.1


def divide(events: EventTable, share: float) -> tuple[EventTable, EventTable]:
    """Divides events into the first ones and the given share of last ones."""
    first = round(len(events) * (1 - share))
    return events[:first], events[first:]


def aucs_of(
    parts: tuple[EventTable, EventTable],
    hyperparameters: Hyperparameters,
    scored: Mapping[str, EventTable],
    seed: int,
) -> dict[str, float]:
    """Trains on training and validation events, and computes the AUC on events by name."""
    fitted = train(Splits.of_tables(*parts), hyperparameters, seed)
    return {
        name: float(roc_auc_score(events.labels, apply_in_chunks(fitted.model, events.features)))
        for name, events in scored.items()
    }


def main() -> None:
    """Prints the AUC of each way on the judging and on the test events, by seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, required=True, help="labelled collisions")
    parser.add_argument("--seeds", type=int, default=1, help="trainings per way")
    arguments = parser.parse_args()
    sample = real_sample(arguments.csv)
    rows = EventTable(
        *(
            np.concatenate([getattr(part, name) for part in (sample.train, sample.validation)])
            for name in ("features", "labels")
        )
    )
    others, judging = divide(rows, JUDGING_SHARE)
    parts = divide(others, VALIDATION_SHARE)
    once, default = resolve("default", refit_events=0), resolve("default")
    for seed in range(1, arguments.seeds + 1):
        for name, way in (
            ("nothing set aside", ((others, judging), once)),
            ("a tenth set aside", (parts, once)),
            ("a tenth set aside, then refit", (parts, default)),
        ):
            aucs = aucs_of(*way, {"judging": judging, "test": sample.test}, seed)
            text = ", ".join(f"{value:.4f} on {label} events" for label, value in aucs.items())
            print(f"seed {seed}, {name}: AUC {text}", flush=True)


if __name__ == "__main__":
    main()
