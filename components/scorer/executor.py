"""Executor of Scorer: plans a task per file, and distributes them over Beam's workers."""

import importlib
import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

from components.scorer.file_scoring import RowSource, ScoreTask
from components.scorer.score_inputs import list_data_files, output_name
from components.scorer.score_pipeline import score_on_beam
from formats import names
from formats.artifact_manifest import take_manifest
from formats.artifact_types import Artifacts
from formats.content_key import content_key
from formats.errors import DataRefusedError
from formats.provenance import model_digest

logger = logging.getLogger("higgs.scorer")

DATA_ROOT_KEY = "data_root"
READER_KEY = "reader"
COLUMNS_KEY = "columns"
ID_COLUMN_KEY = "id_column"
FLAG_INVALID_KEY = "flag_invalid"
CONTENT_KEY = "content_key"
"""Parameters of the node."""


class Executor(BaseBeamExecutor):
    """Scores the files of a folder."""

    def Do(  # noqa: N802 (TFX's name)
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Scores every file, unless the model is absent.

        Raises:
            DataRefusedError: the folder has no files, or a file cannot be read, has invalid rows,
                or was changed since the content key was computed.
            ScoringError: the model cannot be used, or files or rows were lost or duplicated.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        scores = artifact_utils.get_single_instance(output_dict[names.SCORES.key])
        models = input_dict.get("model", [])
        if not models or models[0].get_int_custom_property(names.ABSENT_PROPERTY):
            logger.warning("no model is in service, so nothing is scored")
            scores.set_int_custom_property(names.ABSENT_PROPERTY, 1)
            return
        sources = find_sources(exec_properties)
        tasks = plan_tasks(sources, models[0], scores.uri)
        staging = f"{scores.uri}/.staging"
        files = score_on_beam(self._make_beam_pipeline(), tasks, staging)
        fileio.rmtree(staging)
        digests = {path: file.digest for path, file in zip(sources, files, strict=True)}
        planned = exec_properties.get(CONTENT_KEY) or ""
        if planned and planned != key_of(digests):
            raise DataRefusedError(
                f"{exec_properties[DATA_ROOT_KEY]} was changed while it was scored; run again when "
                "nothing writes to it"
            )
        rows, flagged = sum(f.rows for f in files), sum(f.flagged for f in files)
        version = models[0].get_string_custom_property(names.BASELINE_VERSION_PROPERTY)
        scores.set_int_custom_property(names.ROWS_PROPERTY, rows)
        scores.set_int_custom_property(names.FLAGGED_PROPERTY, flagged)
        scores.set_string_custom_property(names.MODEL_VERSION_PROPERTY, version)
        logger.info("scored %s rows of %s files, %s flagged", f"{rows:,}", len(files), flagged)


def find_sources(exec_properties: Mapping[str, Any]) -> dict[str, RowSource]:
    """Finds the files to score, by their paths relative to the folder.

    Raises:
        DataRefusedError: there is none.
    """
    data_root = exec_properties[DATA_ROOT_KEY]
    module, _, function = exec_properties[READER_KEY].rpartition(".")
    make_source = getattr(importlib.import_module(module), function)
    options = (
        json.loads(exec_properties[COLUMNS_KEY]),
        exec_properties[ID_COLUMN_KEY],
        bool(exec_properties[FLAG_INVALID_KEY]),
    )
    paths = list_data_files(data_root)
    if not paths:
        raise DataRefusedError(
            f"{data_root} has no data files to score; put files into it, or remove score.data_root"
        )
    return {path: make_source(f"{data_root}/{path}", *options) for path in paths}


def plan_tasks(sources: Mapping[str, RowSource], model: Artifact, uri: str) -> list[ScoreTask]:
    """Plans one task per file."""
    path = path_utils.serving_model_path(model.uri)
    digest = model_digest(take_manifest(path))
    return [
        ScoreTask(source, f"{uri}/{output_name(name)}", path, digest)
        for name, source in sources.items()
    ]


def key_of(digests: Mapping[str, str]) -> str:
    """Computes the content key of files; one that is never equal if a content is unknown."""
    if not all(digests.values()):
        return f"unknown:{uuid.uuid4()}"
    return content_key(digests)
