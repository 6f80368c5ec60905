"""CollisionExampleGen: published TFRecord shards in, columnar Examples out."""

from tfx.components import ImportExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components.example_gen.executor import Executor
from formats.published.shards import SHARDS


class CollisionExampleGen(ImportExampleGen):
    """Ingests HIGGS shards, plain or gzip, as Parquet.

    Component ``outputs`` contains:

    - ``examples``: ``standard_artifacts.Examples`` with the splits ``train`` and
      ``eval``: ``label`` and the 28 named features, one float an event each. The
      custom properties ``events_train`` and ``events_eval`` hold the counts, and
      ``unknown_codes_train`` and ``unknown_codes_eval`` the b-tags that are no code.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        input_base: str,
        input_config: example_gen_pb2.Input,
        output_config: example_gen_pb2.Output,
    ):
        """Construct a CollisionExampleGen component.

        Args:
          input_base: the folder that holds the shards or the splits' folders.
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
            example_gen_pb2.Input.Split(name="train", pattern=f"training/{SHARDS}"),
            example_gen_pb2.Input.Split(name="eval", pattern=f"validation/{SHARDS}"),
        ]
    )


def single_folder(split: str = "all") -> example_gen_pb2.Input:
    """One folder of shards: one split, or to be split by ``hashed_splits``."""
    return example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name=split, pattern=SHARDS)])


def hashed_splits(train_buckets: int, eval_buckets: int) -> example_gen_pb2.Output:
    """Splits by a hash of each record, in the proportion of the buckets."""
    return example_gen_pb2.Output(
        split_config=example_gen_pb2.SplitConfig(
            splits=[
                example_gen_pb2.SplitConfig.Split(name="train", hash_buckets=train_buckets),
                example_gen_pb2.SplitConfig.Split(name="eval", hash_buckets=eval_buckets),
            ]
        )
    )
