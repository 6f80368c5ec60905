"""CollisionExampleGen: the component."""

from tfx.components import ImportExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components.example_gen.executor import Executor
from formats.names import EVAL_SPLIT, TRAIN_SPLIT
from formats.published.shards import SHARDS


class CollisionExampleGen(ImportExampleGen):
    """Ingests HIGGS shards, plain or gzip, as Parquet.

    Component ``outputs`` contains:

    - ``examples``: ``standard_artifacts.Examples`` with the splits ``train`` and ``eval``: the
      label and the 28 features, one float per event each. The custom properties ``events_train``
      and ``events_eval`` hold the number of events, ``unknown_codes_train`` and
      ``unknown_codes_eval`` the invalid values of the b-tag columns.

    Example:
    ```python
    # training/ and validation/ become the splits.
    example_gen = CollisionExampleGen(
        input_base="data",
        input_config=split_folders(),
        output_config=example_gen_pb2.Output(),
    )
    # One folder of shards, split 9 to 1 by a hash of each record.
    example_gen = CollisionExampleGen(
        input_base="data",
        input_config=single_folder(),
        output_config=hashed_splits(train_buckets=9, eval_buckets=1),
    )
    ```
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        input_base: str,
        input_config: example_gen_pb2.Input,
        output_config: example_gen_pb2.Output,
    ):
        """Constructs the component.

        Args:
            input_base: the folder with the shards or the folders of the splits.
            input_config: ``split_folders()`` or ``single_folder()``.
            output_config: ``example_gen_pb2.Output()`` or ``hashed_splits(...)``.
        """
        super().__init__(
            input_base=input_base,
            input_config=input_config,
            output_config=output_config,
            payload_format=example_gen_pb2.FORMAT_PARQUET,
        )


def split_folders() -> example_gen_pb2.Input:
    """The published layout: ``training/`` and ``validation/`` are the splits."""
    return example_gen_pb2.Input(
        splits=[
            example_gen_pb2.Input.Split(name=TRAIN_SPLIT, pattern=f"training/{SHARDS}"),
            example_gen_pb2.Input.Split(name=EVAL_SPLIT, pattern=f"validation/{SHARDS}"),
        ]
    )


def single_folder(split: str = "all") -> example_gen_pb2.Input:
    """One folder of shards: a split of its own, or the input of ``hashed_splits``."""
    return example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name=split, pattern=SHARDS)])


def hashed_splits(train_buckets: int, eval_buckets: int) -> example_gen_pb2.Output:
    """Splits by a hash of each record, in the proportion of the buckets."""
    return example_gen_pb2.Output(
        split_config=example_gen_pb2.SplitConfig(
            splits=[
                example_gen_pb2.SplitConfig.Split(name=TRAIN_SPLIT, hash_buckets=train_buckets),
                example_gen_pb2.SplitConfig.Split(name=EVAL_SPLIT, hash_buckets=eval_buckets),
            ]
        )
    )
