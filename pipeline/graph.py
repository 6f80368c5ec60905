"""The graph, in the order of the data's way, and nothing else."""

from collections.abc import Iterable
from pathlib import Path

from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

# Not through tfx.v1, which also imports every cloud client: that doubles the time to start.
from tfx.components import ExampleValidator, SchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2, trainer_pb2

from components.data_gate.component import DataGate
from components.evaluator.component import CountingEvaluator
from components.evaluator.eval_config import eval_config
from components.example_gen.component import (
    CollisionExampleGen,
    hashed_splits,
    single_folder,
    split_folders,
)
from components.histogram_gen.component import HistogramGen
from components.report.component import Report
from components.schema_import.component import SchemaImport
from components.serving_check.component import ServingCheck
from components.statistics_gen.component import ColumnarStatisticsGen
from pipeline.code_version import project_version, runs_code_of
from pipeline.config import Config, IngestionConfig
from pipeline.target import Target

SCHEMA_FILE = Path(__file__).with_name("schema") / "schema.pbtxt"


def create_pipeline(
    config: Config,
    target: Target | None = None,
    metadata: ConnectionConfig | None = None,
) -> Pipeline:
    """The whole pipeline for any runner.

    Args:
      config: a configuration whose ``ingestion.layout`` is settled (not ``auto``).
      target: where it runs; this machine when not given.
      metadata: the ML Metadata store, for runners that do not bring their own.
    """
    target = target or Target(config)

    # Decodes the shards once, into columns.
    example_gen = _example_gen(config.data_root, config.ingestion)
    examples = example_gen.outputs["examples"]

    # The reviewed schema: one inferred from the same data could hardly find fault with it.
    schema_text = SCHEMA_FILE.read_text(encoding="utf-8")
    schema_importer = SchemaImport(content=schema_text).with_id("ImportSchemaGen")
    schema = schema_importer.outputs["schema"]

    statistics_gen = ColumnarStatisticsGen(examples=examples).with_id("StatisticsGen")
    statistics = statistics_gen.outputs["statistics"]

    # The same by class, which the report shows.
    histogram_gen = HistogramGen(examples=examples, statistics=statistics)

    # A side branch: what a schema inferred from this data would say, for review.
    schema_proposal = SchemaGen(statistics=statistics, infer_feature_shape=True)

    # Finds anomalies, but never fails a run.
    example_validator = ExampleValidator(statistics=statistics, schema=schema)

    # Fails the run when there are any, or when events were lost on the way.
    data_gate = DataGate(
        examples=examples,
        statistics=statistics,
        schema=schema,
        anomalies=example_validator.outputs["anomalies"],
    )

    # The model to begin with, where the configuration wants one; none in a first run.
    warm_start = [target.latest_blessed_model("WarmStart")] if config.trainer.warm_start else []

    # Learns, once the gate has let the data pass.
    trainer = target.trainer(
        run_fn="models.trainer.run_fn",
        examples=examples,
        schema=schema,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        base_model=warm_start[0].outputs["model"] if warm_start else None,
        custom_config={
            "checkpoint_root": config.checkpoint_root,
            "seed": config.seed,
            "hyperparameters": config.trainer.hyperparameters().model_dump(mode="json"),
        },
    )
    trainer.add_upstream_node(data_gate)
    model = trainer.outputs["model"]

    # The model to beat: the latest blessed one; none in a first run.
    baseline = target.latest_blessed_model("Baseline", candidate=model)

    # Blesses a model whose AUC is high enough and not below the baseline's.
    evaluator = CountingEvaluator(
        examples=examples,
        model=model,
        baseline_model=baseline.outputs["model"],
        schema=schema,
        eval_config=eval_config(config.evaluation),
        module_path="components.evaluator.extractors",
    ).with_id("Evaluator")

    # Blesses a model that scores the same when served without this project's code.
    serving_check = ServingCheck(model=model, model_run=trainer.outputs["model_run"])

    # Exports what both blessings allow.
    pusher = target.pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
    )

    runs_code_of(example_gen, "components.example_gen", "formats.features")
    runs_code_of(statistics_gen, "components.statistics_gen", "formats.examples")
    runs_code_of(histogram_gen, "components.histogram_gen", "formats.examples", "formats.features")
    runs_code_of(data_gate, "components.data_gate", "formats.features")
    runs_code_of(trainer, "models")
    runs_code_of(
        *(evaluator, "components.evaluator", "pipeline.evaluation"),
        *("components.evaluator.significance", "formats.features"),
    )
    runs_code_of(serving_check, "components.serving_check")

    components: list[BaseNode] = [
        example_gen,
        schema_importer,
        statistics_gen,
        histogram_gen,
        schema_proposal,
        example_validator,
        data_gate,
        *warm_start,
        trainer,
        baseline,
        evaluator,
        serving_check,
        pusher,
        *target.closing_nodes(pusher),
    ]
    # Tells a person what became of the run, pushed or refused.
    report = _report(config, components)

    pipeline = Pipeline(
        pipeline_name=config.name,
        pipeline_root=config.artifacts_root,
        components=[*components, report],
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=list(config.beam.args),
    )
    # After the pipeline's, for the last of two equal options wins.
    for node in (example_gen, statistics_gen, histogram_gen, evaluator):
        node.with_beam_pipeline_args(config.beam.nodes.get(node.id, ()))
    return pipeline


def _example_gen(data_root: str, ingestion: IngestionConfig) -> CollisionExampleGen:
    if ingestion.layout == "single":
        return CollisionExampleGen(
            input_base=data_root,
            input_config=single_folder(),
            output_config=hashed_splits(ingestion.train_buckets, ingestion.eval_buckets),
        )
    return CollisionExampleGen(
        input_base=data_root,
        input_config=split_folders(),
        output_config=example_gen_pb2.Output(),
    )


def _report(config: Config, nodes: Iterable[BaseNode]) -> BaseNode:
    outputs = {node.id: node.outputs for node in nodes}
    return Report(
        examples=outputs["CollisionExampleGen"]["examples"],
        schema=outputs["ImportSchemaGen"]["schema"],
        statistics=outputs["StatisticsGen"]["statistics"],
        histograms=outputs["HistogramGen"]["histograms"],
        anomalies=outputs["ExampleValidator"]["anomalies"],
        data_verdict=outputs["DataGate"]["verdict"],
        model=outputs["Trainer"]["model"],
        model_run=outputs["Trainer"]["model_run"],
        evaluation=outputs["Evaluator"]["evaluation"],
        blessing=outputs["Evaluator"]["blessing"],
        infra_blessing=outputs["ServingCheck"]["blessing"],
        pushed_model=outputs["Pusher"]["pushed_model"],
        configuration=config.model_dump_json(),
        # Of all the code, for the page says what the run was made by.
        code_version=project_version(),
    )
