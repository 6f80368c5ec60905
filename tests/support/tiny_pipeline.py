"""Three nodes that write files in milliseconds, connected as ingestion, training and push are."""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.types.standard_artifacts import Examples, Model, PushedModel

NAME = "tiny"


@component
def Ingest(examples: OutputArtifact[Examples]):  # noqa: N802
    for number in range(3):
        _write(Path(examples.uri, "Split-train", f"{number}.parquet"), f"events {number}")


@component
def Train(  # noqa: N802
    examples: InputArtifact[Examples],
    model: OutputArtifact[Model],
    rate: Parameter[int],
    damaged: Parameter[str],
):
    """Deletes the files of its input that match ``damaged``, as a cleaner beside it would."""
    files = sorted(Path(examples.uri).rglob("*.parquet"))
    _write(Path(model.uri, "variables", "index"), f"{rate} {[file.read_text() for file in files]}")
    _write(Path(model.uri, "saved_model.pb"), "graph")
    for file in Path(examples.uri).rglob(damaged):
        file.unlink()


@component
def Push(  # noqa: N802
    model: InputArtifact[Model],
    directory: Parameter[str],
    pushed_model: OutputArtifact[PushedModel],
):
    version = str(len([*Path(directory).glob("[0-9]*")]) + 1)
    for path in ("saved_model.pb", "variables/index"):
        text = Path(model.uri, path).read_text()
        _write(Path(directory, version, path), text)
        _write(Path(pushed_model.uri, path), text)
    pushed_model.set_int_custom_property("pushed", 1)
    pushed_model.set_string_custom_property("pushed_version", version)
    pushed_model.set_string_custom_property("pushed_destination", f"{directory}/{version}")


def tiny_pipeline(root, metadata_path, rate=1, damaged="nothing"):
    ingest = Ingest()
    train = Train(examples=ingest.outputs["examples"], rate=rate, damaged=damaged)
    push = Push(model=train.outputs["model"], directory=f"{root}/serving")
    return Pipeline(
        pipeline_name=NAME,
        pipeline_root=f"{root}/artifacts",
        components=[ingest, train, push],
        enable_cache=True,
        metadata_connection_config=sqlite_metadata_connection_config(metadata_path),
    )


def _write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
