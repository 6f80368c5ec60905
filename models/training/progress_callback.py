"""A training's progress as log lines: one an epoch, and one now and then within.

Of epochs that take no time only some get a line, the first and the last among them.
"""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import tf_keras

from models.training.learning_rate import current_rate

log = logging.getLogger("higgs.trainer")

SECONDS_BETWEEN_STEPS = 10.0
SECONDS_BETWEEN_EPOCHS = 2.0


class Progress(tf_keras.callbacks.Callback):
    """Logs progress, and adds each epoch's time, rate and learning rate to its metrics.

    Goes before the callbacks that keep them.
    """

    # Keras then hands over tensors, and does not wait for each step's metrics.
    _supports_tf_logs = True

    def __init__(self, epochs: int, steps: int, batch_size: int):
        super().__init__()
        self._epochs = epochs
        self._steps = steps
        self._batch_size = batch_size
        self._last_epoch_line = -math.inf
        self._untold = ""

    def on_epoch_begin(self, epoch: int, _logs: Mapping[str, Any]) -> None:
        """Starts the epoch's clock."""
        self._epoch = epoch + 1
        self._began = self._trained = self._last_line = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        """Logs a line if the last one is some time ago."""
        step = batch + 1
        due = time.perf_counter() - self._last_line >= SECONDS_BETWEEN_STEPS
        if not due and step < self._steps:
            return
        loss, auc = float(logs["loss"]), float(logs["auc"])  # waits for the device
        self._trained = time.perf_counter()
        if due:
            self._last_line = self._trained
            log.info(
                "epoch %d/%d  step %d/%d  loss %.4f  auc %.4f  %s events/s",
                *(self._epoch, self._epochs, step, self._steps),
                *(loss, auc, f"{self._rate(step):,.0f}"),
            )

    def on_epoch_end(self, _epoch: int, logs: dict[str, Any]) -> None:
        """Completes the epoch's metrics; logs them if the last such line is some time ago."""
        now = time.perf_counter()
        logs["seconds"] = now - self._began
        logs["events_per_second"] = self._rate(self._steps)
        logs["learning_rate"] = current_rate(self.model.optimizer)
        metrics = (f"{name} {logs[name]:.4f}" for name in ("loss", "auc", "val_loss", "val_auc"))
        self._untold = (
            f"epoch {self._epoch}/{self._epochs}  {'  '.join(metrics)}  "
            f"{logs['events_per_second']:,.0f} events/s  {logs['seconds']:.1f} s"
        )
        if now - self._last_epoch_line >= SECONDS_BETWEEN_EPOCHS:
            self._last_epoch_line = now
            self._tell()

    def on_train_end(self, _logs: Mapping[str, Any]) -> None:
        """Logs the last epoch, if it was not: with early stopping none knows itself to be it."""
        self._tell()

    def _tell(self) -> None:
        if self._untold:
            log.info("%s", self._untold)
            self._untold = ""

    def _rate(self, steps: int) -> float:
        return steps * self._batch_size / (self._trained - self._began)
