"""ModelInService, the node: the baseline where no metadata store can be asked for one."""

import logging

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import Model
from tfx.utils import io_utils, path_utils

ABSENT_PROPERTY = "absent"
"""Custom property of an artifact that stands for none: whoever takes it shall get nothing."""

logger = logging.getLogger("higgs.baseline")


@component
def ModelInService(  # noqa: N802 (a node is named as TFX names nodes)
    push_directory: Parameter[str],
    model: OutputArtifact[Model],
) -> None:
    """Copies the newest model of the push folder, where Pusher keeps one folder a version.

    What was pushed was blessed, so this is the latest blessed model, and never the one that
    the run is about to judge. An empty push folder gives an artifact marked as absent.
    """
    newest = newest_version(push_directory)
    model.set_int_custom_property(ABSENT_PROPERTY, 0 if newest else 1)
    if newest is None:
        logger.info("no baseline: no model in %s", push_directory)
        return
    io_utils.copy_dir(newest, path_utils.serving_model_path(model.uri))
    logger.info("baseline %s", newest)


def newest_version(push_directory: str) -> str | None:
    """The folder of the newest whole export, or None when there is none."""
    if not fileio.exists(push_directory):
        return None
    # Object stores list folders with a closing slash.
    names = (name.strip("/") for name in fileio.listdir(push_directory))
    versions = sorted((int(name) for name in names if name.isdecimal()), reverse=True)
    folders = (f"{push_directory}/{version}" for version in versions)
    # Pusher copies saved_model.pb last: a folder without it is not, or not yet, a model.
    return next((folder for folder in folders if fileio.exists(f"{folder}/saved_model.pb")), None)
