"""The graph, in the order of the data flow."""

from pathlib import Path

from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

# Not through tfx.v1, which also imports every cloud client: that doubles the time to start.
from tfx.components import ExampleValidator, SchemaGen
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2, trainer_pb2

from components.data_gate.component import DataGate
from components.evaluator.component import EXTRACTORS_MODULE, CountingEvaluator
from components.evaluator.eval_config import AucThresholds, eval_config
from components.example_gen.component import (
    CollisionExampleGen,
    hashed_splits,
    single_folder,
    split_folders,
)
from components.histogram_gen.component import HistogramGen
from components.schema_import.component import SchemaImport
from components.scorer.component import Scorer
from components.serving_check.component import ServingCheck
from components.statistics_gen.component import ColumnarStatisticsGen
from formats import names
from pipeline.code_version import track_code
from pipeline.config import WITH_TEST, Config, IngestionConfig, ScoreConfig
from pipeline.target import Target

SCHEMA_FILE = Path(__file__).with_name("schema") / names.SCHEMA_FILE
RUN_FN = "models.trainer.run_fn"
ROW_READER = "pipeline.intake.scored_rows.file_rows"


class CheckedData:
    """The nodes that ingest and check the data, of this graph and of that of `higgs evaluate`.

    Attributes:
        examples: the events as columns.
        schema: the reviewed schema.
        statistics: of each split.
        histogram_gen: computes the distributions by class, for the report.
        gate: the last node.
        nodes: all of them.
    """

    def __init__(self, example_gen: CollisionExampleGen, max_duplicate_share: float):
        """Makes the nodes that follow ingestion."""
        self.examples = examples = example_gen.outputs["examples"]

        # The reviewed schema: one inferred from the same data could hardly contradict it.
        schema_text = SCHEMA_FILE.read_text(encoding="utf-8")
        schema_importer = SchemaImport(content=schema_text).with_id(names.SCHEMA_IMPORT)
        self.schema = schema = schema_importer.outputs["schema"]

        statistics_gen = ColumnarStatisticsGen(examples=examples).with_id(names.STATISTICS_GEN)
        self.statistics = statistics = statistics_gen.outputs["statistics"]

        self.histogram_gen = HistogramGen(examples=examples, statistics=statistics)

        # Finds anomalies, but never fails a run.
        example_validator = ExampleValidator(statistics=statistics, schema=schema)

        # Fails the run if there are anomalies, or if events were lost or repeated.
        self.gate = DataGate(
            examples=examples,
            statistics=statistics,
            schema=schema,
            anomalies=example_validator.outputs["anomalies"],
            max_duplicate_share=max_duplicate_share,
        )
        self.nodes: list[BaseNode] = [
            example_gen,
            schema_importer,
            statistics_gen,
            self.histogram_gen,
            example_validator,
            self.gate,
        ]


def create_pipeline(
    config: Config,
    target: Target | None = None,
    metadata: ConnectionConfig | None = None,
    content_key: str = "",
) -> Pipeline:
    """Creates the whole pipeline for any runner.

    Args:
        config: a configuration whose ``ingestion.layout`` is resolved (not ``auto``).
        target: where it runs; this machine by default.
        metadata: the ML Metadata store, for runners that do not bring their own.
        content_key: identifies the content of the shards, so that no cache serves other shards.
    """
    target = target or Target(config)

    # Decodes the shards once, into columns, and fails the run if the data is not sound.
    example_gen = _example_gen(config.data_root, config.ingestion, content_key)
    data = CheckedData(example_gen, config.ingestion.max_duplicate_share)
    examples, schema = data.examples, data.schema

    # A side branch: the schema that would be inferred from this data, for review.
    schema_proposal = SchemaGen(statistics=data.statistics, infer_feature_shape=True)

    # The model to start from, if the configuration asks for one; none in a first run.
    warm_start = []
    if config.trainer.warm_start:
        warm_start.append(target.model_in_service(names.WARM_START))

    # Trains once the data has passed the gate.
    trainer = target.trainer(
        run_fn=RUN_FN,
        examples=examples,
        schema=schema,
        train_args=trainer_pb2.TrainArgs(splits=[names.TRAIN_SPLIT]),
        eval_args=trainer_pb2.EvalArgs(splits=[names.EVAL_SPLIT]),
        base_model=warm_start[0].outputs["model"] if warm_start else None,
        custom_config={
            "checkpoint_root": config.checkpoint_root,
            "seed": config.seed,
            "cluster_timeout_minutes": config.trainer.cluster_timeout_minutes,
            "memory": config.trainer.memory,
            "hyperparameters": config.trainer.hyperparameters().model_dump(mode="json"),
        },
    )
    trainer.add_upstream_node(data.gate)
    model = trainer.outputs["model"]

    # The model to compare with: the one in service, from any pipeline; none in a first run.
    baseline = target.model_in_service(names.BASELINE, candidate=model)

    # Blesses a model whose AUC is high enough and not below the baseline's.
    thresholds = AucThresholds(
        lower_bound=config.evaluation.auc_lower_bound,
        max_drop=config.evaluation.auc_max_drop,
        least_events=config.evaluation.least_events,
        confidence=config.evaluation.confidence,
        when_undecided=config.evaluation.when_undecided,
    )
    evaluator = CountingEvaluator(
        examples=examples,
        model=model,
        baseline_model=baseline.outputs["model"],
        schema=schema,
        eval_config=eval_config(thresholds, [gate.gate() for gate in config.evaluation.gates]),
        module_path=EXTRACTORS_MODULE,
    ).with_id(names.EVALUATOR)

    # The figure to publish; nothing depends on it.
    test_evaluator = []
    if config.ingestion.layout == WITH_TEST:
        test_evaluator.append(
            CountingEvaluator(
                examples=examples,
                model=model,
                example_splits=[names.TEST_SPLIT],
                schema=schema,
                eval_config=eval_config(None),
                module_path=EXTRACTORS_MODULE,
            ).with_id(names.TEST_EVALUATOR)
        )

    # Blesses a model that scores the same when served without this project's code.
    serving_check = ServingCheck(
        model=model,
        model_run=trainer.outputs["model_run"],
        timeout_minutes=config.serving_check.timeout_minutes,
        memory_gb=config.serving_check.memory_gb,
    )

    # Exports a model that has both blessings.
    pusher = target.pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        data_verdict=data.gate.outputs["verdict"],
        histograms=data.histogram_gen.outputs["histograms"],
        schema=schema,
    )

    # After the push, scores a fresh set with the model in service, if the configuration names one.
    scoring = _scoring_nodes(config.score, target, pusher) if config.score else []

    components: list[BaseNode] = [
        *data.nodes,
        schema_proposal,
        *warm_start,
        trainer,
        baseline,
        evaluator,
        *test_evaluator,
        serving_check,
        pusher,
        *scoring,
    ]
    components += target.closing_nodes(components)
    for node in components:
        if isinstance(node, BaseComponent):
            track_code(node)

    pipeline = Pipeline(
        pipeline_name=config.name,
        pipeline_root=config.artifacts_root,
        components=components,
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=list(config.beam.args),
    )
    # After the pipeline's options, because the last of two equal options wins.
    for node in components:
        if isinstance(node, BaseBeamComponent):
            node.with_beam_pipeline_args(config.beam.nodes.get(node.id, ()))
    return pipeline


def _scoring_nodes(score: ScoreConfig, target: Target, pusher: BaseNode) -> list[BaseNode]:
    served = target.model_in_service(names.SERVED_MODEL)
    served.add_upstream_node(pusher)
    scorer = Scorer(
        model=served.outputs["model"],
        data_root=score.data_root,
        reader=ROW_READER,
        columns=score.columns,
        id_column=score.id or "",
        flag_invalid=score.flag_invalid,
    )
    return [served, scorer]


def _example_gen(
    data_root: str, ingestion: IngestionConfig, content_key: str
) -> CollisionExampleGen:
    if ingestion.layout == "single":
        input_config = single_folder()
        output_config = hashed_splits(ingestion.train_buckets, ingestion.eval_buckets)
    else:
        input_config = split_folders(has_test=ingestion.layout == WITH_TEST)
        output_config = example_gen_pb2.Output()
    return CollisionExampleGen(
        input_base=data_root,
        input_config=input_config,
        output_config=output_config,
        content_key=content_key,
        ignored_keys=ingestion.ignore_keys,
    )
