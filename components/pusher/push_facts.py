"""Collects the provenance of a model from the artifacts of the run that pushes it."""

from datetime import datetime, timezone

from tfx.types import artifact_utils

from formats import data_verdict, histograms, names, training_record
from formats.artifact_manifest import Manifest, digest_file, open_file
from formats.artifact_types import Artifacts
from formats.gate_decision import read_decision
from formats.provenance import (
    EvaluationSummary,
    GateRecord,
    Provenance,
    SplitSummary,
    file_hashes,
    finite,
)
from formats.source_version import project_version
from formats.training_record import TrainingRecord


def describe(
    inputs: Artifacts, pipeline: str, run: str, manifest: Manifest, version: int
) -> Provenance:
    """Describes a model that is about to become a version.

    Args:
        inputs: the inputs of SingleVersionPusher.
        pipeline: the pipeline's name.
        run: the run's id, or a folder that contains it.
        manifest: the model's files.
        version: the version.

    Raises:
        ValueError: an artifact cannot be read.
        OSError: a file is missing.
    """
    return Provenance(
        version=str(version),
        pipeline=pipeline,
        run=run,
        pushed_at=datetime.now(timezone.utc).replace(microsecond=0),
        evaluation=summarize_evaluation(inputs),
        data=summarize_data(inputs),
        schema_sha256=digest_file(f"{_uri(inputs, 'schema')}/{names.SCHEMA_FILE}").sha256,
        code_version=project_version(),
        packages=training_packages(inputs),
        files=file_hashes(manifest),
    )


def training_packages(inputs: Artifacts) -> dict[str, str]:
    """Returns the versions of the packages that the model was trained with."""
    path = f"{_uri(inputs, 'model_run')}/{training_record.FILE_NAME}"
    return TrainingRecord.from_json(_read(path).decode()).packages


def summarize_evaluation(inputs: Artifacts) -> EvaluationSummary:
    """Summarizes the Evaluator's decision on the model."""
    decision = read_decision(_uri(inputs, "evaluation"))
    blessing = artifact_utils.get_single_instance(inputs["model_blessing"])
    return EvaluationSummary(
        events=decision.events,
        auc=finite(decision.auc),
        baseline_auc=finite(decision.baseline_auc),
        baseline_version=blessing.get_string_custom_property(names.BASELINE_VERSION_PROPERTY),
        gates=tuple(
            GateRecord(
                name=check.name,
                value=finite(check.value),
                limit=check.limit,
                margin=finite(check.margin),
                interval=check.interval,
            )
            for check in decision.checks
        ),
    )


def summarize_data(inputs: Artifacts) -> dict[str, SplitSummary]:
    """Lists the splits with their numbers of events and their fingerprints."""
    verdict = data_verdict.DataVerdictFile.model_validate_json(
        _read(f"{_uri(inputs, 'data_verdict')}/{data_verdict.FILE_NAME}")
    )
    counted = histograms.from_json(
        _read(f"{_uri(inputs, 'histograms')}/{histograms.FILE_NAME}").decode()
    )
    return {
        split: SplitSummary(
            events=events, fingerprint=counted[split].fingerprint if split in counted else ""
        )
        for split, events in verdict.events.items()
    }


def _uri(inputs: Artifacts, key: str) -> str:
    uri: str = artifact_utils.get_single_uri(inputs[key])
    return uri


def _read(path: str) -> bytes:
    with open_file(path) as file:
        return file.read()
