"""Memory of a complete run against its number of events: one epoch, so that it takes minutes.

    python -m benchmarks memory             0.25, 1, 4 and 11 million events
    python -m benchmarks.memory_curve --quick
    python -m benchmarks.memory_curve --events 100000000   this size alone: hours, 30 GB of disk

The Trainer holds no more than its window, whatever the number of epochs. The events are generated.
"""

import argparse
from collections.abc import Iterator

from benchmarks import command_line, generated_events, machine_description, saved_results
from benchmarks.full_run import run_default
from benchmarks.measurement import Measure, Measurement, Sense

SLOPE = Measure("memory_per_event", "bytes", 60, Sense.AT_MOST)

CONSTANT_BYTES = 2.5e9
HUNDRED_MILLION_GB = 3.5
"""The goal for 100 million events; smaller sizes may grow with SLOPE."""

SIZES = (250_000, 1_000_000, 4_000_000, 11_000_000)
"""Number of training and validation events together."""


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures the peak of all processes together; quick leaves out 11 million events."""
    peaks = []
    for events in SIZES[: -1 if quick else None]:
        measurement = measure_size(events)
        peaks.append((events, measurement.ours * 1e9))
        yield measurement
    (small, less), (large, more) = peaks[-2:]
    yield Measurement(
        SLOPE,
        ((more - less) / (large - small),),
        sizes=f"between the last two of {len(peaks)} sizes",
    )


def measure_size(events: int) -> Measurement:
    """Measures the peak of all processes together for one size.

    Args:
        events: number of training and validation events; a tenth of them, at most 500,000, are
            validation events.
    """
    num_eval = min(events // 10, 500_000)
    with generated_events.scratch_folder() as folder:
        shards = generated_events.write_shards(
            folder / "data", num_train=events - num_eval, num_eval=num_eval
        )
        run = run_default(shards, folder / "root", "trainer.epochs=1")
    goal = min(CONSTANT_BYTES + 60 * events, HUNDRED_MILLION_GB * 1e9) / 1e9
    return Measurement(
        Measure(f"memory_{events}", "GB", goal, Sense.AT_MOST),
        (run.peak_bytes / 1e9,),
        sizes=f"{events:,} events; peak of all processes together",
    )


def _one_size() -> int | None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="without 11 million events")
    parser.add_argument("--events", type=int, help="this size alone")
    return parser.parse_args().events


if __name__ == "__main__":
    if events := _one_size():
        result = measure_size(events)
        saved_results.save([result], machine_description.describe())
        command_line.show([result.measure.name])
    else:
        command_line.main(measure)
