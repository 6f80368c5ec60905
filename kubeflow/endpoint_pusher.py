"""Pusher that deploys a blessed model to a Vertex endpoint, once even if it runs repeatedly.

TFX's own names each upload after the clock, so a repeated node deploys the model a second time, and
it does not compare the files that it uploads with those that were blessed.
"""

import logging
from collections.abc import Mapping
from typing import Any

from google.cloud import aiplatform
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.extensions.google_cloud_ai_platform import constants, runner
from tfx.extensions.google_cloud_ai_platform.pusher import component, executor
from tfx.types import artifact_utils
from tfx.utils import json_utils

from components.pusher.executor import check_blessed_files
from components.pusher.publication import model_manifest
from formats import names
from formats.artifact_manifest import manifest_digest
from formats.artifact_types import Artifacts
from formats.verified_copy import check_copy, copy_files

logger = logging.getLogger("higgs.pusher")


class Executor(executor.Executor):
    """Deploys a blessed model, unless the endpoint has it already."""

    def Do(  # noqa: N802 (TFX's name)
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Copies the model to the output, verifies the copy, and deploys it.

        Raises:
            ModelChangedError: the model's files are not those that ServingCheck has blessed.
            DamagedCopyError: the copy has other files.
        """
        pushed = artifact_utils.get_single_instance(output_dict[names.PUSHED_MODEL.key])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        model = self.GetModelPath(input_dict)
        manifest = model_manifest(model)
        check_blessed_files(input_dict, model, manifest)
        copy_files(model, pushed.uri, manifest)
        check_copy(pushed.uri, manifest)
        settings = json_utils.loads(exec_properties["custom_config"])
        # The name of an upload holds the content, so that it is found again.
        name = f"model-{manifest_digest(manifest)[:24]}"
        resource = find_deployed(name, settings)
        if resource is None:
            resource = runner.deploy_model_for_aip_prediction(
                serving_path=pushed.uri,
                model_version_name=name,
                ai_platform_serving_args={
                    **settings[constants.SERVING_ARGS_KEY],
                    "deployed_model_display_name": name,
                },
                labels={},
                serving_container_image_uri=settings[constants.VERTEX_CONTAINER_IMAGE_URI_KEY],
                endpoint_region=settings[constants.VERTEX_REGION_KEY],
                enable_vertex=True,
            )
        self._MarkPushed(pushed, pushed_destination=resource)


def find_deployed(name: str, settings: Mapping[str, Any]) -> str | None:
    """Returns the resource name of a model that the endpoint serves under a name, if it does.

    Args:
        name: of the upload.
        settings: the Pusher's ``custom_config``.
    """
    serving = settings[constants.SERVING_ARGS_KEY]
    endpoints = aiplatform.Endpoint.list(
        filter=f'display_name="{serving["endpoint_name"]}"',
        project=serving["project_id"],
        location=settings[constants.VERTEX_REGION_KEY],
    )
    for endpoint in endpoints[:1]:  # The one that TFX deploys to.
        for deployed in endpoint.list_models():
            if deployed.display_name == name:
                logger.info("the endpoint serves the model already: %s", deployed.model)
                return str(deployed.model)
    return None


class EndpointPusher(component.Pusher):
    """TFX's Pusher for Vertex AI, with the executor of this module."""

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
