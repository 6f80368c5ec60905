"""TFX's Vertex Trainer, which notices when its custom job has expired."""

from typing import Any

from google.cloud.aiplatform_v1.types import JobState
from tfx import types
from tfx.dsl.components.base import executor_spec
from tfx.extensions.google_cloud_ai_platform.trainer import executor
from tfx.extensions.google_cloud_ai_platform.trainer.component import Trainer
from tfx.extensions.google_cloud_ai_platform.training_clients import VertexJobClient

from components.trainer.executor import with_ingested_events

_UNSUCCESSFUL = (JobState.JOB_STATE_EXPIRED, JobState.JOB_STATE_PARTIALLY_SUCCEEDED)


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
            RuntimeError: the job failed, was canceled, exceeded its time and expired, or succeeded
                in part only.
        """
        # TFX's client does not know these states, and would poll such a job forever.
        for states in ("JOB_STATES_COMPLETED", "JOB_STATES_FAILED"):
            setattr(VertexJobClient, states, {*getattr(VertexJobClient, states), *_UNSUCCESSFUL})
        super().Do(input_dict, output_dict, with_ingested_events(input_dict, exec_properties))


class JobTrainer(Trainer):
    """Trains in a custom job on Vertex AI.

    Component ``outputs`` contains:

    - ``model``: ``standard_artifacts.Model``.
    - ``model_run``: ``standard_artifacts.ModelRun``.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
