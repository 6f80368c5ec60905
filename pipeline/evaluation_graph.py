"""The graph of `higgs evaluate`: the nodes of the pipeline that judge a model, and no others."""

from collections.abc import Sequence

from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from tfx.components import ExampleValidator
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2
from tfx.types.standard_artifacts import Model

from components.data_gate.component import DataGate
from components.evaluator.component import EXTRACTORS_MODULE, CountingEvaluator
from components.evaluator.eval_config import eval_config
from components.example_gen.component import CollisionExampleGen, single_folder
from components.histogram_gen.component import HistogramGen
from components.schema_import.component import SchemaImport
from components.statistics_gen.component import ColumnarStatisticsGen
from formats import names
from pipeline.config import IngestionConfig
from pipeline.graph import SCHEMA_FILE


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
    examples = example_gen.outputs["examples"]
    schema_text = SCHEMA_FILE.read_text(encoding="utf-8")
    schema_importer = SchemaImport(content=schema_text).with_id(names.SCHEMA_IMPORT)
    schema = schema_importer.outputs["schema"]
    statistics_gen = ColumnarStatisticsGen(examples=examples).with_id(names.STATISTICS_GEN)
    statistics = statistics_gen.outputs["statistics"]
    histogram_gen = HistogramGen(examples=examples, statistics=statistics)
    example_validator = ExampleValidator(statistics=statistics, schema=schema)
    data_gate = DataGate(
        examples=examples,
        statistics=statistics,
        schema=schema,
        anomalies=example_validator.outputs["anomalies"],
        max_duplicate_share=IngestionConfig().max_duplicate_share,
    )
    importer = Importer(source_uri=model, artifact_type=Model).with_id(names.TRAINER)
    evaluator = CountingEvaluator(
        examples=examples,
        model=importer.outputs["result"],
        eval_config=eval_config(None),
        module_path=EXTRACTORS_MODULE,
    ).with_id(names.EVALUATOR)
    evaluator.add_upstream_node(data_gate)
    return Pipeline(
        pipeline_name="evaluation",
        pipeline_root=root,
        components=[
            example_gen,
            schema_importer,
            statistics_gen,
            histogram_gen,
            example_validator,
            data_gate,
            importer,
            evaluator,
        ],
        metadata_connection_config=metadata,
    )
