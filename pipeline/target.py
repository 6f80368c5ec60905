"""The target: where the graph runs, as far as the graph depends on it."""

from collections.abc import Sequence
from typing import Any

from tfx.components import Pusher, Trainer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.proto import pusher_pb2
from tfx.types import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.baseline.resolver import LatestOtherBlessedModel
from components.pusher.component import SingleVersionPusher
from formats import names
from pipeline.config import Config


class Target:
    """This machine. Other targets override how the nodes below are made, and nothing else."""

    def __init__(self, config: Config):
        """Makes the nodes of ``config``."""
        self.config = config

    def trainer(self, custom_config: dict[str, Any], **arguments: Any) -> Trainer:
        """Makes the node that trains; the arguments are Trainer's."""
        return Trainer(custom_config=custom_config, **arguments)

    def latest_blessed_model(self, node_id: str, candidate: Channel | None = None) -> BaseNode:
        """Makes a node whose output ``model`` is the latest blessed model, or empty.

        Args:
            node_id: the node's id.
            candidate: a model that must not be its own baseline; None before the training.
        """
        return Resolver(
            strategy_class=LatestOtherBlessedModel,
            **({"candidate": candidate} if candidate else {}),
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
        ).with_id(node_id)

    def pusher(self, **inputs: Channel) -> Pusher:
        """Makes the node that exports; the inputs are Pusher's."""
        filesystem = pusher_pb2.PushDestination.Filesystem(
            base_directory=self.config.push_directory
        )
        destination = pusher_pb2.PushDestination(filesystem=filesystem)
        return SingleVersionPusher(**inputs, push_destination=destination).with_id(names.PUSHER)

    def closing_nodes(self, nodes: Sequence[BaseNode]) -> list[BaseNode]:
        """Makes the nodes after the push.

        None here: `higgs run` reads the outcome from ML Metadata, and renders the report with what
        only ML Metadata knows.
        """
        del nodes
        return []
