"""TFX's Vertex Trainer, which notices when its custom job has expired."""

from typing import Any

from google.cloud.aiplatform_v1.types import JobState
from tfx import types
from tfx.dsl.components.base import executor_spec
from tfx.extensions.google_cloud_ai_platform.trainer import executor
from tfx.extensions.google_cloud_ai_platform.trainer.component import Trainer
from tfx.extensions.google_cloud_ai_platform.training_clients import VertexJobClient

from components.trainer.executor import with_ingested_events


class Executor(executor.GenericExecutor):
    """Starts the custom job and waits for its end."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the job.

        Raises:
            RuntimeError: the job failed, was canceled, or exceeded its time and expired.
        """
        # TFX's client does not know the state, and would poll an expired job forever.
        expired = JobState.JOB_STATE_EXPIRED
        for states in ("JOB_STATES_COMPLETED", "JOB_STATES_FAILED"):
            setattr(VertexJobClient, states, {*getattr(VertexJobClient, states), expired})
        super().Do(input_dict, output_dict, with_ingested_events(input_dict, exec_properties))


class JobTrainer(Trainer):
    """Trains in a custom job on Vertex AI.

    Component ``outputs`` contains:

    - ``model``: ``standard_artifacts.Model``.
    - ``model_run``: ``standard_artifacts.ModelRun``.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
