"""A training's progress as log lines: one an epoch, and one now and then within."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import tf_keras

log = logging.getLogger("higgs.trainer")

SECONDS_BETWEEN_LINES = 10.0


class Progress(tf_keras.callbacks.Callback):
    """Logs progress, and adds each epoch's time and rate to its metrics.

    Goes first among the callbacks, so that the others see ``seconds`` and
    ``events_per_second`` too.
    """

    # Keras then hands over tensors, and does not wait for each step's metrics.
    _supports_tf_logs = True

    def __init__(self, epochs: int, steps: int, batch_size: int):
        super().__init__()
        self._epochs = epochs
        self._steps = steps
        self._batch_size = batch_size

    def on_epoch_begin(self, epoch: int, _logs: Mapping[str, Any]) -> None:
        """Starts the epoch's clock."""
        self._epoch = epoch + 1
        self._began = self._trained = self._last_line = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        """Logs a line if the last one is some time ago."""
        self._trained = time.perf_counter()
        if self._trained - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = self._trained
            log.info(
                "epoch %d/%d  step %d/%d  loss %.4f  auc %.4f  %s events/s",
                *(self._epoch, self._epochs, batch + 1, self._steps),
                *(logs["loss"], logs["auc"], f"{self._rate(batch + 1):,.0f}"),
            )

    def on_epoch_end(self, _epoch: int, logs: dict[str, Any]) -> None:
        """Completes the epoch's metrics and logs them."""
        logs["seconds"] = time.perf_counter() - self._began
        logs["events_per_second"] = self._rate(self._steps)
        log.info(
            "epoch %d/%d  loss %.4f  auc %.4f  val_loss %.4f  val_auc %.4f  %s events/s  %.1f s",
            *(self._epoch, self._epochs),
            *(logs[name] for name in ("loss", "auc", "val_loss", "val_auc")),
            *(f"{logs['events_per_second']:,.0f}", logs["seconds"]),
        )

    def _rate(self, steps: int) -> float:
        return steps * self._batch_size / (self._trained - self._began)
