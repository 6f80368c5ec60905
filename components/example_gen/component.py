"""CollisionExampleGen: the component."""

import json
from collections.abc import Sequence

from tfx.components import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.proto import example_gen_pb2
from tfx.types import Channel
from tfx.types.component_spec import ExecutionParameter
from tfx.types.standard_artifacts import Examples
from tfx.types.standard_component_specs import FileBasedExampleGenSpec

from components.example_gen.executor import CONTENT_KEY_KEY, IGNORED_KEYS_KEY, Executor
from formats.names import EVAL_SPLIT, TEST_SPLIT, TRAIN_SPLIT
from formats.published.shards import SHARDS


class CollisionExampleGenSpec(FileBasedExampleGenSpec):
    """Parameters of file-based ingestion, the content key and the ignored keys."""

    PARAMETERS = {  # noqa: RUF012 (TFX's name and form)
        **FileBasedExampleGenSpec.PARAMETERS,
        CONTENT_KEY_KEY: ExecutionParameter(type=str),
        IGNORED_KEYS_KEY: ExecutionParameter(type=str),
    }


class CollisionExampleGen(FileBasedExampleGen):
    """Ingests HIGGS shards, plain or gzip, as Parquet.

    Component ``outputs`` contains:

    - ``examples``: ``standard_artifacts.Examples`` with the splits ``train``, ``eval`` and maybe
      ``test``: the label and the 28 features, one float per event each. The custom properties
      ``events_train``, ``events_eval`` and so on hold the number of events,
      ``unknown_codes_train`` and so on the invalid values of the b-tag columns.

    Example:
    ```python
    # training/ and validation/ become the splits.
    example_gen = CollisionExampleGen(
        input_base="data",
        input_config=split_folders(),
        output_config=example_gen_pb2.Output(),
    )
    # One folder of shards, split 9 to 1 by a hash of each event.
    example_gen = CollisionExampleGen(
        input_base="data",
        input_config=single_folder(),
        output_config=hashed_splits(train_buckets=9, eval_buckets=1),
    )
    ```
    """

    SPEC_CLASS = CollisionExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        input_base: str,
        input_config: example_gen_pb2.Input,
        output_config: example_gen_pb2.Output,
        content_key: str = "",
        ignored_keys: Sequence[str] = (),
    ):
        """Constructs the component.

        Args:
            input_base: the folder with the shards or the folders of the splits.
            input_config: ``split_folders()`` or ``single_folder()``.
            output_config: ``example_gen_pb2.Output()`` or ``hashed_splits(...)``.
            content_key: identifies the content of the shards, so that a cache does not serve
                the Examples of other content; one that ``formats.content_key`` computed is
                compared with what was read.
            ignored_keys: keys of a record besides features and label, which are dropped.
        """
        spec = CollisionExampleGenSpec(
            input_base=input_base,
            input_config=input_config,
            output_config=output_config,
            output_data_format=example_gen_pb2.FORMAT_PARQUET,
            output_file_format=example_gen_pb2.FILE_FORMAT_PARQUET,
            examples=Channel(type=Examples),
            **{CONTENT_KEY_KEY: content_key, IGNORED_KEYS_KEY: json.dumps(list(ignored_keys))},
        )
        # Not FileBasedExampleGen's, which makes a specification without these parameters.
        BaseBeamComponent.__init__(self, spec=spec)


def split_folders(*, has_test: bool = False) -> example_gen_pb2.Input:
    """The published layout: ``training/``, ``validation/`` and maybe ``test/`` are the splits."""
    folders = {TRAIN_SPLIT: "training", EVAL_SPLIT: "validation"}
    folders |= {TEST_SPLIT: TEST_SPLIT} if has_test else {}
    return example_gen_pb2.Input(
        splits=[
            example_gen_pb2.Input.Split(name=split, pattern=f"{folder}/{SHARDS}")
            for split, folder in folders.items()
        ]
    )


def single_folder(split: str = "all") -> example_gen_pb2.Input:
    """One folder of shards: a split of its own, or the input of ``hashed_splits``."""
    return example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name=split, pattern=SHARDS)])


def hashed_splits(train_buckets: int, eval_buckets: int) -> example_gen_pb2.Output:
    """Splits by a hash of each event's features, in the proportion of the buckets."""
    return example_gen_pb2.Output(
        split_config=example_gen_pb2.SplitConfig(
            splits=[
                example_gen_pb2.SplitConfig.Split(name=TRAIN_SPLIT, hash_buckets=train_buckets),
                example_gen_pb2.SplitConfig.Split(name=EVAL_SPLIT, hash_buckets=eval_buckets),
            ]
        )
    )
