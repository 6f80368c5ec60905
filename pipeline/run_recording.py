"""Records a local run's configuration, code version and failure, which no artifact holds."""

from collections.abc import Iterator
from contextlib import contextmanager

from formats.errors import DataRefusedError
from formats.package_versions import package_versions
from formats.run_outcome import RunRecord
from formats.source_version import project_version
from pipeline import metadata_store
from pipeline.config import Config
from pipeline.failure_log import log_traceback
from pipeline.secret_values import redact


@contextmanager
def recorded(config: Config) -> Iterator[None]:
    """Records the run that the block starts, however it ends.

    A run that ends before its first node has left nothing to attach a record to.
    """
    previous_run = metadata_store.newest_run_id(config.metadata_path)
    # Of the loaded code; the sources may be edited during the run.
    code_version, packages = project_version(), package_versions()
    ending, failure = "", ""
    try:
        yield
    except DataRefusedError as error:
        ending, failure = "refused", str(error)
        raise
    except KeyboardInterrupt:
        ending, failure = "interrupted", "by Ctrl-C, SIGTERM or SIGHUP; run again to resume"
        raise
    except Exception as error:
        ending, failure = "failed", redact(f"{type(error).__name__}: {error}")
        raise
    finally:
        try:
            run_id = metadata_store.newest_run_id(config.metadata_path)
            if run_id is not None and run_id != previous_run:
                record = RunRecord(
                    configuration=config.model_dump_json(),
                    code_version=code_version,
                    packages=packages,
                    ending=ending,
                    failure=failure,
                )
                metadata_store.write_record(config.metadata_path, run_id, record)
        except Exception:
            if not failure:
                raise
            log_traceback()  # the error that ended the run is the one to report
