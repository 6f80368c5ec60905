"""Which model a candidate is compared with."""

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

logger = logging.getLogger("higgs.baseline")


class LatestOtherBlessedModel(ResolverStrategy):
    """The latest blessed model that is not the candidate itself.

    TFX's own strategy would, in a run that reuses a cached and blessed model,
    name that very model: it would be compared with itself, and evaluated and
    pushed once more although nothing changed.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: Mapping[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Resolves ``model`` and ``model_blessing``, given the ``candidate`` if there is one."""
        given = {key: input_dict[key] for key in ("candidate",) if key in input_dict}
        candidates = {artifact.id for artifact in given.get("candidate", ())}
        others = [
            model
            for model in input_dict["model"]
            if model.id not in candidates and _is_there(model)
        ]
        blessed = LatestBlessedModelStrategy().resolve_artifacts(
            store, {"model": others, "model_blessing": input_dict["model_blessing"]}
        )
        return {**(blessed or {}), **given}


def _is_there(model: types.Artifact) -> bool:
    """Whether a model's export still exists; the metadata outlives deleted folders."""
    export = path_utils.serving_model_path(model.uri)
    there: bool = fileio.exists(f"{export}/saved_model.pb")
    if not there:
        logger.warning("passed over as a baseline, for it was deleted: %s", export)
    return there
