"""Keeps with a local run what no artifact holds: its configuration, its code, and its failure."""

from collections.abc import Iterator
from contextlib import contextmanager

from components.report.package_versions import package_versions
from formats.errors import DataRefusedError
from formats.run_outcome import RunRecord
from pipeline import metadata_store
from pipeline.code_version import project_version
from pipeline.config import Config


@contextmanager
def recorded(config: Config) -> Iterator[None]:
    """Records the run that is started inside, whether it comes to its end or not.

    A run that ended before its first node left nothing to keep a record with.
    """
    before = metadata_store.newest_run_id(config.metadata_path)
    # Of what is loaded now; the sources may be edited while the run goes on.
    code_version, packages = project_version(), package_versions()
    ending, failure = "", ""
    try:
        yield
    except DataRefusedError as error:
        ending, failure = "refused", str(error)
        raise
    except KeyboardInterrupt:
        ending, failure = "interrupted", "from the keyboard; run again to go on from there"
        raise
    except Exception as error:
        ending, failure = "failed", f"{type(error).__name__}: {error}"
        raise
    finally:
        run_id = metadata_store.newest_run_id(config.metadata_path)
        if run_id is not None and run_id != before:
            record = RunRecord(config.model_dump_json(), code_version, packages, ending, failure)
            metadata_store.write_record(config.metadata_path, run_id, record)
