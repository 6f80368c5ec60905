"""Deployments to an endpoint: the blessed files, exactly once."""

import json
from types import SimpleNamespace

import pytest
from google.cloud import aiplatform
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, PushedModel

from components.pusher.executor import ModelChangedError
from formats.artifact_manifest import MODEL_DIGEST_PROPERTY, manifest_digest, take_manifest
from kubeflow.endpoint_pusher import Executor

CONFIG = {
    "ai_platform_enable_vertex": True,
    "ai_platform_vertex_region": "us-central1",
    "ai_platform_vertex_container_image_uri": "image",
    "ai_platform_serving_args": {"project_id": "p", "endpoint_name": "higgs"},
}


class Service:
    """Vertex AI with one endpoint, as far as the Pusher calls it."""

    def __init__(self, fails=0):
        self.deployed, self.uploads, self.fails = [], [], fails
        self.resource_name = "endpoints/1"

    def list_models(self):
        return self.deployed

    def list(self, **_):
        return [self]

    def upload(self, display_name, artifact_uri, **_):
        self.uploads.append((display_name, artifact_uri))

        def deploy(endpoint, deployed_model_display_name, **_):
            model = SimpleNamespace(display_name=deployed_model_display_name, model="models/1")
            endpoint.deployed.append(model)
            if self.fails:  # The node is lost after the deployment.
                self.fails -= 1
                raise ConnectionError

        resource = f"models/{len(self.uploads)}"
        return SimpleNamespace(resource_name=resource, deploy=deploy, wait=lambda: None)


@pytest.fixture
def push(tmp_path, monkeypatch):
    model = tmp_path / "model" / "Format-Serving"
    model.mkdir(parents=True)

    def artifact(kind, folder, **properties):
        made = kind()
        made.uri = str(tmp_path / folder)
        for name, value in properties.items():
            if isinstance(value, int):
                made.set_int_custom_property(name, value)
            else:
                made.set_string_custom_property(name, value)
        return made

    def run(service, content="graph", blessed=1, checked=None):
        (model / "saved_model.pb").write_text(content)
        monkeypatch.setattr(aiplatform, "init", lambda **_: None)
        monkeypatch.setattr(aiplatform.Endpoint, "list", service.list)
        monkeypatch.setattr(aiplatform.Model, "upload", service.upload)
        digest = checked or manifest_digest(take_manifest(str(model)))
        pushed = artifact(PushedModel, f"pushed-{len(list(tmp_path.iterdir()))}")
        Executor().Do(
            {
                "model": [artifact(Model, "model")],
                "model_blessing": [artifact(ModelBlessing, "blessing", blessed=blessed)],
                "infra_blessing": [
                    artifact(InfraBlessing, "infra", blessed=1, **{MODEL_DIGEST_PROPERTY: digest})
                ],
            },
            {"pushed_model": [pushed]},
            {"custom_config": json.dumps(CONFIG)},
        )
        return pushed

    return run


def test_a_model_that_the_endpoint_serves_is_not_deployed_again(push):
    service = Service()

    first, again = push(service), push(service)

    [(name, uri)] = service.uploads
    assert uri == first.uri
    assert [model.display_name for model in service.deployed] == [name]
    for pushed in (first, again):
        assert pushed.get_int_custom_property("pushed") == 1
        assert pushed.get_string_custom_property("pushed_destination") == "models/1"
    other = push(service, content="another graph")
    assert len(service.deployed) == len({model.display_name for model in service.deployed}) == 2
    assert other.get_string_custom_property("pushed_destination") == "models/2"


def test_a_node_that_was_lost_after_its_deployment_is_repeated(push):
    service = Service(fails=1)
    with pytest.raises(ConnectionError):
        push(service)

    assert push(service).get_string_custom_property("pushed_destination") == "models/1"
    assert len(service.deployed) == 1


def test_only_the_blessed_files_are_deployed(push):
    service = Service()

    with pytest.raises(ModelChangedError, match="was changed after ServingCheck had blessed it"):
        push(service, checked="0" * 64)
    assert push(service, blessed=0).get_int_custom_property("pushed") == 0
    assert service.uploads == []
