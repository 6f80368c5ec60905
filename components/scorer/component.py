"""Scorer: the component."""

import json
from collections.abc import Sequence
from typing import ClassVar

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Model

from components.scorer.executor import (
    COLUMNS_KEY,
    CONTENT_KEY,
    DATA_ROOT_KEY,
    FLAG_INVALID_KEY,
    ID_COLUMN_KEY,
    READER_KEY,
    Executor,
)
from components.scorer.input_driver import Driver
from formats.artifact_types import Scores


class ScorerSpec(ComponentSpec):
    """Inputs, parameters and outputs of Scorer.

    ``content_key`` is set by the driver: it makes the cache notice other data.
    """

    PARAMETERS: ClassVar = {
        DATA_ROOT_KEY: ExecutionParameter(type=str),
        READER_KEY: ExecutionParameter(type=str),
        COLUMNS_KEY: ExecutionParameter(type=str),
        ID_COLUMN_KEY: ExecutionParameter(type=str),
        FLAG_INVALID_KEY: ExecutionParameter(type=int),
        CONTENT_KEY: ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar = {"model": ChannelParameter(type=Model)}
    OUTPUTS: ClassVar = {"scores": ChannelParameter(type=Scores)}


class Scorer(BaseBeamComponent):
    """Scores every row of the files of a folder, labelled or not, with a model.

    A file with a row that is not valid fails the run, unless invalid rows are flagged. If the model
    is marked as absent, nothing is scored.

    Component ``outputs`` contains:

    - ``scores``: ``higgs.Scores``, one Parquet file per input file. The custom properties ``rows``
      and ``flagged`` hold the number of rows, and of those without a score; ``model_version`` the
      version of the model, if it has one.

    Example:
    ```python
    scorer = Scorer(
        model=served_model.outputs["model"],
        data_root="data/new",
        reader="pipeline.intake.scored_rows.file_rows",
        columns=["weight"],
    )
    ```
    """

    SPEC_CLASS = ScorerSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        model: Channel,
        data_root: str,
        reader: str,
        columns: Sequence[str] = (),
        id_column: str = "",
        flag_invalid: bool = False,
    ):
        """Scores the files below ``data_root``.

        Args:
            model: a SavedModel with the signature ``score_features``.
            data_root: a folder on a disk or in an object store.
            reader: dotted name of the function that makes the `RowSource` of a file, from its
                path, the columns, the id's column and whether invalid rows are flagged.
            columns: columns to copy: the input's own, or features.
            id_column: the column that identifies a row; empty: its file and number do.
            flag_invalid: give invalid rows no score, and the reason in a column.
        """
        super().__init__(
            ScorerSpec(
                model=model,
                scores=Channel(type=Scores),
                **{
                    DATA_ROOT_KEY: data_root,
                    READER_KEY: reader,
                    COLUMNS_KEY: json.dumps(list(columns)),
                    ID_COLUMN_KEY: id_column,
                    FLAG_INVALID_KEY: int(flag_invalid),
                },
            )
        )
