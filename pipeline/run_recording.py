"""Records a local run's configuration, code version and failure, which no artifact holds."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from formats.errors import DataRefusedError
from formats.package_versions import package_versions
from formats.run_outcome import RunRecord
from formats.source_version import project_version
from pipeline.config import Config
from pipeline.metadata_store import newest_run_id, write_record
from pipeline.secret_values import redact


@contextmanager
def recorded(config: Config) -> Iterator[None]:
    """Records the run that the block starts, however it ends.

    A run that ends before its first node has left nothing to attach a record to.
    """
    previous_run = newest_run_id(config.metadata_path)
    record = RunRecord(
        configuration=config.model_dump_json(),
        # Of the loaded code; the sources may be edited during the run.
        code_version=project_version(),
        packages=package_versions(),
    )
    end = {}
    try:
        yield
    except DataRefusedError as error:
        end = {"ending": "refused", "failure": str(error)}
        raise
    except KeyboardInterrupt:
        reason = "by Ctrl-C, SIGTERM or SIGHUP; run again to resume"
        end = {"ending": "interrupted", "failure": reason}
        raise
    except Exception as error:
        end = {"ending": "failed", "failure": redact(f"{type(error).__name__}: {error}")}
        raise
    finally:
        try:
            run_id = newest_run_id(config.metadata_path)
            if run_id is not None and run_id != previous_run:
                write_record(config.metadata_path, run_id, record.model_copy(update=end))
        except Exception:
            if not end:
                raise
            log_traceback()  # the error that ended the run is the one to report


def log_traceback() -> None:
    """Prints the traceback of the handled exception to the log, if the log can be written.

    Passwords and tokens in it are left out.
    """
    with suppress(OSError):
        print(redact(traceback.format_exc()), file=sys.stderr)
