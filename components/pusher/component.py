"""SingleVersionPusher: the component."""

from typing import ClassVar

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.proto.pusher_pb2 import PushDestination
from tfx.types import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import (
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelEvaluation,
    ModelRun,
    PushedModel,
    Schema,
)
from tfx.types.system_executions import Deploy

from components.pusher.executor import Executor
from formats.artifact_types import ClassHistograms, DataVerdict


class SingleVersionPusherSpec(ComponentSpec):
    """Inputs, parameters and outputs: those of TFX's Pusher and some more."""

    PARAMETERS: ClassVar = {
        "push_destination": ExecutionParameter(type=PushDestination),
        "pipeline": ExecutionParameter(type=str),
        "with_onnx": ExecutionParameter(type=int),
        "for_triton": ExecutionParameter(type=int),
    }
    INPUTS: ClassVar = {
        "model": ChannelParameter(type=Model),
        "model_blessing": ChannelParameter(type=ModelBlessing),
        "infra_blessing": ChannelParameter(type=InfraBlessing),
        "model_run": ChannelParameter(type=ModelRun),
        "evaluation": ChannelParameter(type=ModelEvaluation),
        "data_verdict": ChannelParameter(type=DataVerdict),
        "histograms": ChannelParameter(type=ClassHistograms),
        "schema": ChannelParameter(type=Schema),
    }
    OUTPUTS: ClassVar = {"pushed_model": ChannelParameter(type=PushedModel)}
    TYPE_ANNOTATION = Deploy


class SingleVersionPusher(BaseComponent):
    """Exports a model that has both blessings, as a version with its provenance.

    The version is larger than every other one in the push directory, and complete before servers
    see it. A model that is the newest version already is not exported again.

    Component ``outputs`` contains:

    - ``pushed_model``: ``standard_artifacts.PushedModel``, with the version in service.

    Example:
    ```python
    pusher = SingleVersionPusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        data_verdict=data_gate.outputs["verdict"],
        histograms=histogram_gen.outputs["histograms"],
        schema=schema_importer.outputs["schema"],
        push_destination=push_destination,
        pipeline="higgs",
    ).with_id("Pusher")
    ```
    """

    SPEC_CLASS = SingleVersionPusherSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        push_destination: PushDestination,
        pipeline: str,
        *,
        with_onnx: bool = True,
        for_triton: bool = False,
        **inputs: Channel,
    ):
        """Exports to a folder of ``push_destination``, in the name of ``pipeline``.

        Args:
            push_destination: the push directory.
            pipeline: the pipeline's name.
            with_onnx: whether a version contains ``model.onnx``.
            for_triton: whether the push directory gets Triton's ``config.pbtxt``.
            inputs: the inputs of the specification.
        """
        super().__init__(
            SingleVersionPusherSpec(
                push_destination=push_destination,
                pipeline=pipeline,
                with_onnx=int(with_onnx),
                for_triton=int(for_triton),
                pushed_model=Channel(type=PushedModel),
                **inputs,
            )
        )
