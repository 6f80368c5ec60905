"""TFX's Vertex Trainer, which notices an expired custom job, and one of an earlier attempt."""

import hashlib
import logging
import time
from contextlib import suppress
from typing import Any

from google.api_core.exceptions import FailedPrecondition
from google.api_core.retry import Retry
from google.cloud.aiplatform import gapic
from google.cloud.aiplatform_v1.types import JobState
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer import executor
from tfx.extensions.google_cloud_ai_platform.trainer.component import Trainer
from tfx.extensions.google_cloud_ai_platform.training_clients import VertexJobClient
from tfx.types import standard_component_specs
from tfx.utils import json_utils

from components.trainer.executor import with_ingested_events
from formats.artifact_types import Artifacts

logger = logging.getLogger("higgs.trainer")

POLL_SECONDS = 30.0

_UNSUCCESSFUL = (JobState.JOB_STATE_EXPIRED, JobState.JOB_STATE_PARTIALLY_SUCCEEDED)


class Executor(executor.GenericExecutor):
    """Starts the custom job and waits for its end."""

    def Do(  # noqa: N802 (TFX's name)
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Runs the job.

        A job keeps running when the node that waits for it is lost. If the engine repeats the node,
        the job is canceled: the new one writes to the same place, and resumes at its last
        checkpoint.

        Raises:
            RuntimeError: the job failed, was canceled, exceeded its time and expired, or succeeded
                in part only.
        """
        # TFX's client does not know these states, and would poll such a job forever.
        for states in ("JOB_STATES_COMPLETED", "JOB_STATES_FAILED"):
            setattr(VertexJobClient, states, {*getattr(VertexJobClient, states), *_UNSUCCESSFUL})
        key = standard_component_specs.CUSTOM_CONFIG_KEY
        config = json_utils.loads(exec_properties[key])
        job = config[executor.TRAINING_ARGS_KEY]
        outputs = sorted(artifact.uri for channel in output_dict.values() for artifact in channel)
        digest = hashlib.sha256("\n".join(outputs).encode()).hexdigest()[:12]
        job["display_name"] = f"{job['display_name']}-{digest}"
        if end_jobs(job["display_name"], job["project"], config[constants.VERTEX_REGION_KEY]):
            for uri in filter(fileio.exists, outputs):
                fileio.rmtree(uri)
        properties = {**exec_properties, key: json_utils.dumps(config)}
        super().Do(input_dict, output_dict, with_ingested_events(input_dict, properties))


def end_jobs(display_name: str, project: str, region: str) -> bool:
    """Cancels the custom jobs of a name that have not ended, and waits for their end.

    Returns:
        Whether there was one.
    """
    client = gapic.JobServiceClient(
        client_options={"api_endpoint": f"{region}-aiplatform.googleapis.com"}
    )
    request = {
        "parent": f"projects/{project}/locations/{region}",
        "filter": f'display_name="{display_name}"',
    }
    found = list(client.list_custom_jobs(request, retry=Retry()))
    running = [job for job in found if job.state not in VertexJobClient.JOB_STATES_COMPLETED]
    for job in running:
        logger.warning("canceling %s, the job of an earlier attempt of this node", job.name)
        # Vertex AI refuses to cancel a job that has ended since, or that is canceled already.
        with suppress(FailedPrecondition):
            client.cancel_custom_job(name=job.name, retry=Retry())
    for job in running:
        state = job.state
        while state not in VertexJobClient.JOB_STATES_COMPLETED:
            time.sleep(POLL_SECONDS)
            state = client.get_custom_job(name=job.name, retry=Retry()).state
    return bool(running)


class JobTrainer(Trainer):
    """Trains in a custom job on Vertex AI.

    Component ``outputs`` contains:

    - ``model``: ``standard_artifacts.Model``.
    - ``model_run``: ``standard_artifacts.ModelRun``.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
