"""Fuzzes one reader, guided by the coverage of its code: `make fuzz`.

Usage: python tests/fuzz/fuzz.py TARGET SECONDS

Starts with the corpus in tests/fuzz/corpus/TARGET. An input that makes the reader fail is written
to tests/fuzz/failures/ and ends the process with another status than 0. After the fault is
repaired, move the input to the corpus, which tests/fuzz/test_corpus.py replays.
"""

import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parents[1])]

LONGEST = 65536


def main(name: str, seconds: str) -> None:
    """Fuzzes for some seconds."""
    with atheris.instrument_imports(include=["formats", "pipeline"]):
        import fuzz_targets
    import tensorflow  # noqa: F401 (readers import it for unusual records, which takes seconds)

    target = fuzz_targets.TARGETS[name]

    def run(data: bytes) -> None:
        with fuzz_targets.limited():
            target(data)

    failures = HERE / "failures"
    failures.mkdir(exist_ok=True)
    corpus = HERE / "corpus" / name
    for file in corpus.iterdir():
        target(file.read_bytes())  # imports what its format needs, which may take seconds
    with tempfile.TemporaryDirectory() as found:
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST}",
            f"-artifact_prefix={failures}/{name}-",
            "-rss_limit_mb=4096",
            "-print_final_stats=1",
            "-verbosity=0",
        ]
        dictionary = HERE / f"{name}.dict"
        if dictionary.exists():
            options.append(f"-dict={dictionary}")
        atheris.Setup([sys.argv[0], *options, found, str(corpus)], run)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
