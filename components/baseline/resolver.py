"""The baseline of local runs: a resolver strategy over ML Metadata."""

import logging
from collections.abc import Mapping

import ml_metadata as mlmd
from tfx import types
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from formats.names import SAVED_MODEL_FILE

logger = logging.getLogger("higgs.baseline")


class LatestOtherBlessedModel(ResolverStrategy):
    """Resolves the latest blessed model other than the candidate.

    In a run that reuses a cached, blessed model, TFX's own strategy would return that model: it
    would be compared with itself, and evaluated and pushed again although nothing changed.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: Mapping[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Resolves ``model`` and ``model_blessing``; the optional ``candidate`` is excluded."""
        candidate = {key: input_dict[key] for key in ("candidate",) if key in input_dict}
        candidate_ids = {artifact.id for artifact in candidate.get("candidate", ())}
        others = [
            model
            for model in input_dict["model"]
            if model.id not in candidate_ids and _exists(model)
        ]
        blessed = LatestBlessedModelStrategy().resolve_artifacts(
            store, {"model": others, "model_blessing": input_dict["model_blessing"]}
        )
        return {**(blessed or {}), **candidate}


def _exists(model: types.Artifact) -> bool:
    """Tells whether a model's export still exists; its metadata outlives deleted folders."""
    export = path_utils.serving_model_path(model.uri)
    exists: bool = fileio.exists(f"{export}/{SAVED_MODEL_FILE}")
    if not exists:
        logger.warning("not used as a baseline, because it was deleted: %s", export)
    return exists
