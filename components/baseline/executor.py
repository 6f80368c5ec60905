"""Executor of ModelInService: checks and copies the model in service."""

import logging
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.baseline.selection import Selection, select
from components.serving_check.probe import machine_fault
from formats import names
from formats.artifact_manifest import take_manifest
from formats.artifact_types import Artifacts
from formats.errors import DamagedBaselineError, one_line
from formats.features import FEATURES
from formats.push_directory import PushedVersion
from formats.verified_copy import check_copy, copy_files

logger = logging.getLogger("higgs.baseline")

REFUSE = "refuse"
"""The value of ``when_damaged`` that makes a damaged model in service an error."""


class Executor(BaseExecutor):
    """Copies the model in service, or marks the artifact as absent."""

    def Do(  # noqa: N802 (TFX's name)
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Copies the model.

        Raises:
            DamagedBaselineError: the model in service is damaged and may not be ignored.
        """
        directory = exec_properties["push_directory"]
        selection = select(directory, input_dict, find_load_fault)
        if selection.damaged and exec_properties["when_damaged"] == REFUSE:
            raise DamagedBaselineError(explain_refusal(directory, selection))
        remark = describe(selection)
        level = logging.WARNING if selection.damaged else logging.INFO
        role = "baseline" if input_dict.get("candidate") else "model in service"
        logger.log(level, "%s: %s", role, remark)
        model = artifact_utils.get_single_instance(output_dict[names.MODEL_IN_SERVICE.key])
        model.set_string_custom_property(names.BASELINE_REMARK_PROPERTY, remark)
        model.set_string_custom_property(names.NEWEST_VERSION_PROPERTY, str(selection.newest))
        model.set_int_custom_property(names.ABSENT_PROPERTY, 0 if selection.version else 1)
        if selection.version:
            number = str(selection.version.version)
            model.set_string_custom_property(names.BASELINE_VERSION_PROPERTY, number)
            copy_version(selection.version.folder, path_utils.serving_model_path(model.uri))


def copy_version(folder: str, copy: str) -> None:
    """Copies a version with its provenance.

    Raises:
        DamagedCopyError: the copy differs.
    """
    manifest = take_manifest(folder)
    copy_files(folder, copy, manifest)
    check_copy(copy, manifest)


def find_load_fault(version: PushedVersion) -> str:
    """Loads a version; returns why the Evaluator could not use it, or nothing.

    The TensorFlow that made it can load it, as long as its files are unchanged.
    """
    made_with = version.provenance.packages.get("tensorflow") if version.provenance else None
    try:
        with tf.io.gfile.GFile(f"{version.folder}/{names.SAVED_MODEL_FILE}", "rb") as file:
            model = saved_model_pb2.SavedModel.FromString(file.read())
        if made_with != tf.__version__:
            tf.saved_model.load(version.folder)
    except Exception as error:
        if machine_fault(error):
            raise
        return f"it cannot be loaded ({type(error).__name__}: {one_line(error, 200)})"
    return _find_signature_fault(model)


def _find_signature_fault(model: saved_model_pb2.SavedModel) -> str:
    """Compares the evaluated signature with the features of the events."""
    signatures = [graph.signature_def.get(names.COLUMNS_SIGNATURE) for graph in model.meta_graphs]
    if not any(signatures):
        return f"it has no signature {names.COLUMNS_SIGNATURE}"
    inputs, outputs = set(signatures[0].inputs), set(signatures[0].outputs)
    if inputs != set(FEATURES):
        differing = ", ".join(sorted(inputs ^ set(FEATURES))[:3])
        return f"its features differ from those of the events in {differing}"
    if names.SIGNAL_PROBABILITY not in outputs:
        return f"it returns {', '.join(sorted(outputs))} instead of {names.SIGNAL_PROBABILITY}"
    return ""


def explain_refusal(push_directory: str, selection: Selection) -> str:
    """Names the damaged version, its fault and the remedies."""
    newest = selection.damaged[0]
    others = len(selection.damaged) - 1
    more = f" ({others} older versions are damaged as well)" if others else ""
    return (
        f"version {newest.version} in {push_directory}, the model in service, is damaged: "
        f"{newest.fault}{more}. Restore it or delete its folder, then run again; with "
        "evaluation.damaged_baseline=ignore the candidate is compared with the newest undamaged "
        "version"
    )


def describe(selection: Selection) -> str:
    """Says which version is the baseline, or why there is none."""
    ignored = "".join(
        f"version {damaged.version} is damaged and ignored: {damaged.fault}; "
        for damaged in selection.damaged
    )
    if selection.version:
        return f"{ignored}version {selection.version.version}"
    if selection.is_candidate:
        return f"{ignored}none, because no model other than this one was pushed"
    return f"{ignored}none, because no model is in service; only the lower bounds decide"
