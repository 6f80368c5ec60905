"""ServingCheck, the node: an InfraBlessing for exports that serve as they were trained."""

import logging

import numpy as np
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelRun
from tfx.utils import path_utils

from components.serving_check.score_comparison import find_fault

REFERENCE_SCORES = "reference_scores.npz"
"""What the Trainer leaves in its model run: events and the trained model's scores."""

# InfraValidator's names, which Pusher and other readers of an InfraBlessing know.
BLESSED_PROPERTY = "blessed"
BLESSED_FILE = "INFRA_BLESSED"
NOT_BLESSED_FILE = "INFRA_NOT_BLESSED"

logger = logging.getLogger("higgs.serving_check")


@component
def ServingCheck(  # noqa: N802 (a node is named as TFX names nodes)
    model: InputArtifact[Model],
    model_run: InputArtifact[ModelRun],
    blessing: OutputArtifact[InfraBlessing],
) -> None:
    """Loads the export in a fresh process and compares its scores with the trained model's.

    A fault withholds the blessing and is written into the blessing's file; it
    does not fail the run.
    """
    with fileio.open(f"{model_run.uri}/{REFERENCE_SCORES}", "rb") as file:
        reference = np.load(file)
        features, expected = reference["features"], reference["signal_probability"]
    fault = find_fault(path_utils.serving_model_path(model.uri), features, expected)
    if fault:
        logger.warning("infra blessing withheld: %s", fault)
    with fileio.open(f"{blessing.uri}/{NOT_BLESSED_FILE if fault else BLESSED_FILE}", "w") as file:
        file.write(fault or f"{len(features)} records scored as trained")
    blessing.set_int_custom_property(BLESSED_PROPERTY, 0 if fault else 1)
