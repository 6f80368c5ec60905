"""The use of a root by one run: checked, locked, its metadata relocated and backed up."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.beam_options import check_job_servers
from pipeline.config import Config, load_config
from pipeline.local_root import exclusive_use, resolve
from pipeline.machine_checks import check_environment, check_space
from pipeline.metadata_backup import keep_backup, reserve_executions, write_backup
from pipeline.metadata_check import check_metadata, metadata_file
from pipeline.root_relocation import relocate
from pipeline.user_errors import MetadataError

logger = logging.getLogger("higgs.root")


def load_for_run(config_file: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Reads the configuration of a local run, resolves it, and checks the machine.

    Raises:
        ConfigError: it is not valid here, or an environment variable would make the run fail.
        DataRefusedError: the folders of the data cannot be used.
        NoSpaceError: the root or the folder of temporary files is full.
        JobServerError: Beam's job server does not answer.
    """
    config = resolve(load_config(config_file, overrides))
    check_environment(os.environ)
    check_space(Path(config.root))
    check_job_servers(config.beam.option_lists())
    return config


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
