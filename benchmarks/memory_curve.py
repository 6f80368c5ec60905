"""Memory of a complete run against its number of events: one epoch, so that it takes minutes.

The Trainer holds no more than its window, whatever the number of epochs. The events are generated.
"""

from collections.abc import Iterator

from benchmarks import command_line, generated_events
from benchmarks.full_run import run_default
from benchmarks.measurement import Measure, Measurement, Sense

SLOPE = Measure("memory_per_event", "bytes", 60, Sense.AT_MOST)

SIZES = ((225_000, 25_000), (900_000, 100_000), (3_600_000, 400_000), (10_500_000, 500_000))
"""Number of training and validation events."""


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures the peak of all processes together; quick leaves out 11 million events."""
    peaks = []
    for num_train, num_eval in SIZES[: -1 if quick else None]:
        events = num_train + num_eval
        with generated_events.scratch_folder() as folder:
            shards = generated_events.write_shards(
                folder / "data", num_train=num_train, num_eval=num_eval
            )
            run = run_default(shards, folder / "root", "trainer.epochs=1")
        peaks.append((events, run.peak_bytes))
        yield Measurement(
            Measure(f"memory_{events}", "GB", (2.5e9 + 60 * events) / 1e9, Sense.AT_MOST),
            (run.peak_bytes / 1e9,),
            sizes=f"{events:,} events; peak of all processes together",
        )
    (small, less), (large, more) = peaks[-2:]
    yield Measurement(
        SLOPE,
        ((more - less) / (large - small),),
        sizes=f"between the last two of {len(peaks)} sizes",
    )


if __name__ == "__main__":
    command_line.main(measure)
