"""From published events to the model that serves, with everything in between."""

from dataclasses import dataclass

import tensorflow as tf
import tf_keras

from formats.hyperparameters import Hyperparameters
from models.event_table import Events
from models.input_columns import compute_columns
from models.serving.assembly import Blend, assemble, on_host
from models.training.boosted_trees import Forest, grow
from models.training.network_fit import Trained, plan_training, train
from models.training.sizing import sized
from models.training.strategy import Hardware
from models.training.warm_start import Weights


@dataclass(frozen=True)
class Fitted:
    """A model that serves, and its parts.

    Attributes:
      model: from published features float32 [N, 28] to probabilities float32 [N, 1], on the host.
      network: the wide-and-deep network in it, from columns.
      trained: how the network was trained.
      forest: the boosted trees in it, or None.
      blend: how network and forest were put together; None without a forest.
      events: number of events by split, ``train`` and ``eval``.
    """

    model: tf_keras.Model
    network: tf_keras.Model
    trained: Trained
    forest: Forest | None
    blend: Blend | None
    events: dict[str, int]


def fit(
    train_events: Events,
    eval_events: Events,
    hyperparameters: Hyperparameters,
    *,
    seed: int,
    machine: tuple[tf.distribute.Strategy, Hardware],
    log_dir: str,
    checkpoint_dir: str | None = None,
    initial_weights: Weights | None = None,
) -> Fitted:
    """Derives columns, trains the network, grows the trees and puts them together.

    Args:
      train_events: as published, what is learned from.
      eval_events: as published, what epochs are compared and the parts are blended on.
      hyperparameters: what is None in them is sized by the number of events.
      seed: of everything that is drawn.
      machine: where to train, from ``find_strategy``.
      log_dir: folder for TensorBoard.
      checkpoint_dir: where the training's states go, and where it goes on from; None for one that
        is not resumed.
      initial_weights: for the network to begin with.

    Raises:
      DivergedError: the loss was not finite.
      ValueError: there are fewer training events than replicas.
    """
    strategy, hardware = machine
    hyperparameters = sized(hyperparameters, len(train_events))
    plan = plan_training(len(train_events), hyperparameters, seed, hardware)
    derived = hyperparameters.derived_columns
    train_columns, eval_columns = (
        compute_columns(events, derived=derived) for events in (train_events, eval_events)
    )
    trained = train(
        *(train_columns, eval_columns, plan),
        strategy=strategy,
        log_dir=log_dir,
        checkpoint_dir=checkpoint_dir,
        initial_weights=initial_weights,
    )
    forest = grow(train_columns, hyperparameters, seed) if hyperparameters.trees else None
    network = on_host(trained.network, hyperparameters, trained.preparation)
    model, blend = assemble(network, forest, eval_columns, derived=derived)
    events = {"train": len(train_events), "eval": len(eval_events)}
    return Fitted(model, network, trained, forest, blend, events)
