"""What setting validation events aside costs: the AUC with and without them in the training.

python -m benchmarks.validation_cost --csv HIGGS.csv.gz --seeds 3

The last 6,233 rows of the CSV test, the fifth before them judges. Before, the Trainer learned from
all other rows and fitted the blend on those that judge; now it sets a tenth of the others aside.
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.quality_samples import real_sample
from formats.hyperparameters import resolve
from models.event_table import EventTable, apply_in_chunks
from models.training.event_survey import Splits
from models.training.hardware import find_machine
from models.training.model_fit import fit

JUDGING_SHARE, VALIDATION_SHARE = 0.2, 0.1


def divide(events: EventTable, share: float) -> tuple[EventTable, EventTable]:
    """Divides events into the first ones and the given share of last ones."""
    first = round(len(events) * (1 - share))
    return (
        EventTable(events.features[:first], events.labels[:first]),
        EventTable(events.features[first:], events.labels[first:]),
    )


def aucs_of(
    train: EventTable, validation: EventTable, scored: Mapping[str, EventTable], seed: int
) -> dict[str, float]:
    """Trains the default model, and computes its AUC on events by name."""
    with tempfile.TemporaryDirectory() as log_dir:
        fitted = fit(
            Splits.of_tables(train, validation),
            resolve("default"),
            seed=seed,
            machine=find_machine(),
            log_dir=log_dir,
        )
    return {
        name: float(roc_auc_score(events.labels, apply_in_chunks(fitted.model, events.features)))
        for name, events in scored.items()
    }


def main() -> None:
    """Prints the AUC of both ways on the judging and on the test events, by seed."""
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
    train, judging = divide(rows, JUDGING_SHARE)
    for seed in range(1, arguments.seeds + 1):
        for name, parts in (
            ("before", (train, judging)),
            ("now", divide(train, VALIDATION_SHARE)),
        ):
            aucs = aucs_of(*parts, {"judging": judging, "test": sample.test}, seed)
            text = ", ".join(f"{value:.4f} on {label} events" for label, value in aucs.items())
            print(f"seed {seed}, {name}: AUC {text}", flush=True)


if __name__ == "__main__":
    main()
