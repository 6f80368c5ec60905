"""``training.json``: the record of a training in the Trainer's model run."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

FILE_NAME = "training.json"

Count = Annotated[int, Field(ge=0)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StrategyRecord(_Record):
    """The hardware of a training.

    Attributes:
        kind: ``cpu``, ``gpu`` or ``tpu``.
        replicas: number of replicas, over all hosts.
        devices: names of the logical devices of this host.
        hosts: number of hosts.
        host: index of the host that wrote the record.
    """

    kind: str
    replicas: Count
    devices: tuple[str, ...]
    hosts: Count = 1
    host: Count = 0


class LayerRecord(_Record):
    """One layer of the network.

    Attributes:
        name: the layer's name.
        kind: the layer's class.
        part: the part of the network: ``inputs``, ``wide``, ``deep`` or ``output``.
        output_shape: shape of its output without the batch dimension.
        parameters: number of its weights, trained or not.
    """

    name: str
    kind: str
    part: str
    output_shape: tuple[int | None, ...]
    parameters: Count


class ParameterCounts(_Record):
    """Number of weights used for a score, trained or not, by part of the model."""

    wide: Count
    deep: Count
    total: Count


class ForestRecord(_Record):
    """The boosted trees: their number, their leaves, and the events they were grown on."""

    trees: Count
    leaves: Count
    events: Count


class BlendRecord(_Record):
    """logit = ``bias`` + ``network`` x network logit + ``leaves`` x forest logit."""

    network: FiniteFloat
    leaves: FiniteFloat
    bias: FiniteFloat


class RefitRecord(_Record):
    """The second training of network and trees, on training and validation events together.

    Attributes:
        events: number of events.
        steps_per_epoch: steps per epoch; events beyond the last whole batch are left out.
        epochs: as in ``TrainingRecord``, but without validation, for which no events are left.
        resumed_at: the last epoch that an earlier, killed training had finished; 0 without one.
        resumed_step: the steps of the epoch after it that the earlier training had finished as
            well.
    """

    events: Count
    steps_per_epoch: Count
    epochs: tuple[dict[str, int | FiniteFloat], ...]
    resumed_at: Count
    resumed_step: Count


class TrainingRecord(_Record):
    """One training; the attributes are the keys of ``training.json``.

    If there was a refit, the served network and trees are those of the refit. Epochs, validation
    and the blend are those of the first training, which did not learn from the validation events.

    Attributes:
        seed: seed of the weights, dropout and shuffling.
        strategy: the hardware.
        precision: Keras' precision policy of the deep blocks, such as ``mixed_bfloat16``.
        hyperparameters: every hyperparameter by name, with its final value.
        parameters: number of weights of the served model.
        layers: the network's layers in order.
        trees: the boosted trees that are served; None for a model without trees.
        blend: weights of the network's and the forest's logits; None without trees.
        events: number of events of the parts ``train`` and ``validation`` of the training split.
        events_in_memory: number of training events that were in memory at a time, over all hosts;
            0 in the records of earlier releases, which held all of them.
        batch_size: events per step, over all replicas.
        steps_per_epoch: steps per epoch; events beyond the last whole batch are left out.
        peak_learning_rate: the highest learning rate.
        epochs: one mapping per epoch: ``epoch`` (from 1), ``loss``, ``auc``, ``binary_accuracy``,
            the same with the prefix ``val_``, ``learning_rate`` at its end, ``seconds``
            (training and validation) and ``events_per_second`` (training only).
        epoch_kept: the epoch whose weights are kept, from 1; a refit has as many epochs.
        resumed_at: the last epoch that an earlier, killed training had finished; 0 without one.
        resumed_step: the steps of the epoch after it that the earlier training had finished as
            well.
        warm_start: names of the weights that were taken from an earlier model.
        events_per_second: median over the epochs.
        seconds: wall time of all epochs, including the compilation in the first one and the refit.
        packages: versions by name of Python and the packages that the model was trained with;
            empty in the records of earlier releases.
        refit: the second training, on all events; None if there was none.
    """

    seed: int
    strategy: StrategyRecord
    precision: str
    hyperparameters: dict[str, Any]
    parameters: ParameterCounts
    layers: tuple[LayerRecord, ...]
    trees: ForestRecord | None
    blend: BlendRecord | None
    events: dict[str, Count]
    events_in_memory: Count = 0
    batch_size: Count
    steps_per_epoch: Count
    peak_learning_rate: FiniteFloat
    epochs: tuple[dict[str, int | FiniteFloat], ...]
    epoch_kept: Count
    resumed_at: Count
    resumed_step: Count = 0
    warm_start: tuple[str, ...]
    events_per_second: FiniteFloat
    seconds: FiniteFloat
    packages: dict[str, str] = {}
    refit: RefitRecord | None = None

    def to_json(self) -> str:
        """Returns the content of ``training.json``."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "TrainingRecord":
        """Reads the content of ``training.json``.

        Raises:
            pydantic.ValidationError: the text does not have this form.
        """
        return cls.model_validate_json(text)
