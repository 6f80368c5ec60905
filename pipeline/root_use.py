"""The use of a root by one run: locked, its metadata checked, relocated and backed up."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.local_root import exclusive_use
from pipeline.metadata_backup import keep_backup, reserve_executions, write_backup
from pipeline.metadata_check import check_metadata, metadata_file
from pipeline.root_relocation import relocate
from pipeline.user_errors import MetadataError

logger = logging.getLogger("higgs.root")


@contextmanager
def used_by_run(root: Path) -> Iterator[list[str]]:
    """Prepares a root for a run, and backs up its metadata when the run ends.

    Yields:
        Notes on the root, one line each: where it was at its last run, if it was moved or copied,
        and whether its metadata is older than its artifacts.

    Raises:
        ConfigError: the root is not writable.
        RootBusyError: another run uses it.
        MetadataError: its metadata is damaged or not accessible; nothing was changed.
    """
    with exclusive_use(root):
        check_metadata(root)
        remarks = [f"moved or copied from {place}" for place in relocate(root)]
        if reserve_executions(root):
            remarks.append(
                f"{metadata_file(root)} lacks the newest artifacts, so it is an older copy "
                "or another root's: later runs are not listed, and their nodes run again"
            )
            remarks += keep_backup(root)
        try:
            yield remarks
        finally:
            try:
                write_backup(root)
            except MetadataError as error:  # the outcome of the run does not depend on it
                logger.warning("no backup of the metadata: %s", error)
