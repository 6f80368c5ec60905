"""Executor of ServingCheck: reads the reference scores, runs the probe, writes the blessing."""

import logging

from tfx.dsl.io import fileio
from tfx.types import Artifact
from tfx.utils import path_utils

from components.serving_check.probe_process import Limits
from components.serving_check.score_comparison import find_fault
from formats import names, reference_scores
from formats.artifact_manifest import MODEL_DIGEST_PROPERTY, manifest_digest, take_manifest
from formats.reference_scores import ReferenceScores

logger = logging.getLogger("higgs.serving_check")


def check_serving(model: Artifact, model_run: Artifact, blessing: Artifact, limits: Limits) -> None:
    """Blesses an export that reproduces the reference scores; otherwise records the fault.

    The blessing names the export by the digest of its files, so that no other one is pushed.

    Raises:
        ServingCheckError: the check failed for a reason that says nothing about the export. No
            blessing is written then, and the next run checks again.
    """
    with fileio.open(f"{model_run.uri}/{reference_scores.FILE_NAME}", "rb") as file:
        reference = ReferenceScores.read(file)
    export = path_utils.serving_model_path(model.uri)
    # Before the check, so that files changed during it are not pushed.
    digest = manifest_digest(take_manifest(export))
    fault = find_fault(export, reference, limits)
    if fault:
        logger.warning("infra blessing withheld: %s", fault)
    file_name = names.INFRA_NOT_BLESSED_FILE if fault else names.INFRA_BLESSED_FILE
    with fileio.open(f"{blessing.uri}/{file_name}", "w") as file:
        file.write(fault or f"{len(reference.scores)} records scored as trained")
    blessing.set_int_custom_property(names.BLESSED_PROPERTY, 0 if fault else 1)
    blessing.set_string_custom_property(MODEL_DIGEST_PROPERTY, digest)
