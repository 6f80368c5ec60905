"""The target: the parts of the graph that depend on where it runs."""

from collections.abc import Sequence
from typing import Any

from tfx.components import Trainer
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import pusher_pb2
from tfx.types import Channel

from components.baseline.component import ModelInService
from components.pusher.component import SingleVersionPusher
from components.trainer.component import CountingTrainer
from formats import names
from pipeline.config import Config


class Target:
    """This machine. Other targets override how the nodes below are made, and nothing else."""

    def __init__(self, config: Config):
        """Makes the nodes of ``config``."""
        self.config = config

    def trainer(self, custom_config: dict[str, Any], **arguments: Any) -> Trainer:
        """Makes the node that trains; the arguments are Trainer's."""
        return CountingTrainer(custom_config=custom_config, **arguments).with_id(names.TRAINER)

    def model_in_service(self, node_id: str, candidate: Channel | None = None) -> BaseNode:
        """Makes a node whose output ``model`` is the model in service, or absent.

        Args:
            node_id: the node's id.
            candidate: a model that must not be its own baseline; None before the training.
        """
        return ModelInService(
            push_directory=self.config.push_directory,
            when_damaged=self.config.evaluation.damaged_baseline,
            candidate=candidate,
        ).with_id(node_id)

    def pusher(self, **inputs: Channel) -> BaseComponent:
        """Makes the node that exports; the inputs are SingleVersionPusher's."""
        filesystem = pusher_pb2.PushDestination.Filesystem(
            base_directory=self.config.push_directory
        )
        destination = pusher_pb2.PushDestination(filesystem=filesystem)
        push = self.config.push
        return SingleVersionPusher(
            destination,
            self.config.name,
            with_onnx="onnx" in push.formats,
            for_triton=push.triton,
            **inputs,
        ).with_id(names.PUSHER)

    def closing_nodes(self, nodes: Sequence[BaseNode]) -> list[BaseNode]:
        """Makes the nodes after the push.

        None here: `higgs run` reads the outcome from ML Metadata, and renders the report with what
        only ML Metadata knows.
        """
        del nodes
        return []
