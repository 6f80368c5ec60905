"""Nodes that compute for seconds are recorded once and replayed for the same input.

Faults matter where files are written, but most of a run's time is spent elsewhere. A node
that is asked again for what it has computed before (the same parameters, and inputs that are byte
for byte the same) gets its recorded files and properties. Everything else, such as the launcher,
ML Metadata, the gates, the push and the records, is real. A node that is itself under test runs.
"""

import copy
import hashlib
import json
import shutil
from pathlib import Path

from folder_digests import file_digests
from scenarios import EXPENSIVE
from tfx.orchestration.portable import python_executor_operator as operator

from formats import names, provenance

_run = operator.run_with_executor


def install(folder: Path, layer, real: list[str], variant: str) -> None:
    """Replaces the executors of expensive nodes in this process.

    Args:
        folder: the recordings.
        layer: the file layer, which does not count the replayed files.
        real: nodes that run in any case.
        variant: a name for a model that differs from the recorded one, by a file with this name.
    """

    def run_with_executor(info, executor):
        node = info.pipeline_node.node_info.id
        if node not in EXPENSIVE or node in real or _resumes(node, info):
            return _run(info, executor)
        recording = folder / f"{node}-{_key(info)}"
        # The blessing of ServingCheck holds the model's digest.
        adopts = variant and node != "ServingCheck"
        if recording.exists() or (adopts and _adopt(recording, node, variant)):
            layer.pause(True)
            try:
                return _replay(info, recording)
            finally:
                layer.pause(False)
        result = _run(info, executor)
        _record(info, result, recording)
        return result

    operator.run_with_executor = run_with_executor


def _resumes(node: str, info) -> bool:
    """A killed training is resumed from its checkpoints, which must be tried."""
    settings = json.loads(info.exec_properties.get("custom_config", "{}"))
    return node == "Trainer" and any(Path(settings["checkpoint_root"]).glob("*/checkpoint"))


def _key(info) -> str:
    digest = hashlib.sha256(json.dumps(info.exec_properties, sort_keys=True, default=str).encode())
    for key, artifacts in sorted(info.input_dict.items()):
        for artifact in artifacts:
            digest.update(key.encode())
            for path, content in sorted(file_digests(Path(artifact.uri)).items()):
                # It contains the time of a push.
                if not path.endswith(provenance.FILE_NAME):
                    digest.update(f"{path} {content}\n".encode())
    return digest.hexdigest()[:16]


def _record(info, result, recording: Path) -> None:
    temporary = recording.with_suffix(".partial")
    shutil.rmtree(temporary, ignore_errors=True)
    for key, [artifact] in info.output_dict.items():
        shutil.copytree(artifact.uri, temporary / key)
    (temporary / "output.pb").write_bytes(result.SerializeToString())
    temporary.rename(recording)


def _replay(info, recording: Path):
    from tfx.proto.orchestration import execution_result_pb2

    recorded = execution_result_pb2.ExecutorOutput.FromString(
        (recording / "output.pb").read_bytes()
    )
    outputs = copy.deepcopy(info.output_dict)
    for key, [artifact] in outputs.items():
        shutil.copytree(recording / key, artifact.uri, dirs_exist_ok=True)
        [proto] = recorded.output_artifacts[key].artifacts
        for name, value in proto.properties.items():
            artifact.mlmd_artifact.properties[name].CopyFrom(value)
        for name, value in proto.custom_properties.items():
            if name != "name":
                artifact.mlmd_artifact.custom_properties[name].CopyFrom(value)
    for baseline in info.input_dict.get("baseline_model", ()):
        # The blessing's properties of the baseline do not come from the recorded model.
        [blessing] = outputs["blessing"]
        for name in (names.BASELINE_VERSION_PROPERTY, names.NEWEST_VERSION_PROPERTY):
            blessing.set_string_custom_property(name, baseline.get_string_custom_property(name))
    return operator.construct_executor_output(info, outputs)


def _adopt(recording: Path, node: str, variant: str) -> bool:
    """Makes the recording of another model by copying an existing one."""
    others = list(recording.parent.glob(f"{node}-*[0-9a-f]"))
    if not others:
        return False
    oldest = min(others, key=lambda other: (other / "output.pb").stat().st_mtime_ns)
    shutil.copytree(oldest, recording)
    model = recording / "model" / "Format-Serving"
    if model.exists():
        (model / "assets.extra").mkdir(exist_ok=True)
        (model / "assets.extra" / variant).write_text(variant)
    return True
