"""The graph of `higgs evaluate`: the nodes of the pipeline that judge a model, and no others."""

from collections.abc import Sequence

from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2
from tfx.types.standard_artifacts import Model

from components.evaluator.component import EXTRACTORS_MODULE, CountingEvaluator
from components.evaluator.eval_config import eval_config
from components.example_gen.component import CollisionExampleGen, single_folder
from formats import names
from pipeline.config import IngestionConfig
from pipeline.graph import CheckedData


def create_evaluation_pipeline(
    model: str,
    shards: str,
    root: str,
    metadata: ConnectionConfig,
    ignored_keys: Sequence[str] = (),
) -> Pipeline:
    """Creates a pipeline that evaluates a model on a folder of shards, without thresholds.

    Args:
        model: a folder with the layout of a Model artifact.
        shards: a folder of shards, all of which become the split ``eval``.
        root: the pipeline root.
        metadata: the ML Metadata store.
        ignored_keys: keys besides features and label that the records may have.
    """
    example_gen = CollisionExampleGen(
        input_base=shards,
        input_config=single_folder(names.EVAL_SPLIT),
        output_config=example_gen_pb2.Output(),
        ignored_keys=ignored_keys,
    )
    data = CheckedData(example_gen, IngestionConfig().max_duplicate_share)
    importer = Importer(source_uri=model, artifact_type=Model).with_id(names.TRAINER)
    evaluator = CountingEvaluator(
        examples=data.examples,
        model=importer.outputs["result"],
        eval_config=eval_config(None),
        module_path=EXTRACTORS_MODULE,
    ).with_id(names.EVALUATOR)
    evaluator.add_upstream_node(data.gate)
    return Pipeline(
        pipeline_name="evaluation",
        pipeline_root=root,
        components=[*data.nodes, importer, evaluator],
        metadata_connection_config=metadata,
    )
