"""Cache keys of TFX in a root that was moved; that whole runs reuse them is tested in tests/e2e."""

import contextlib
import json

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import Metadata, sqlite_metadata_connection_config
from tfx.orchestration.portable import cache_utils
from tfx.proto.orchestration import pipeline_pb2
from tfx.types.standard_artifacts import Model

from pipeline.cache_keys import mark_root, portable_cache_keys
from pipeline.config import Config
from pipeline.graph import create_pipeline


def key(tmp_path, root, executor_spec=None, **parameters):
    """The cache key of a node whose inputs and parameters lie below a root."""
    model = Model()
    model.uri = f"{root}/artifacts/Trainer/model/8"
    model.set_string_custom_property("current_model", f"{root}/artifacts/Trainer/model/7")
    text = json.dumps({"base_directory": f"{root}/serving"})
    metadata = sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
    with portable_cache_keys(str(root)), Metadata(metadata) as handle:
        context = cache_utils.get_cache_context(
            metadata_handle=handle,
            pipeline_node=pipeline_pb2.PipelineNode(),
            pipeline_info=pipeline_pb2.PipelineInfo(id="higgs"),
            executor_spec=executor_spec,
            input_artifacts={"model": [model]},
            output_artifacts={},
            parameters={"push_destination": text, **parameters},
        )
    assert isinstance(context, mlmd.Context)
    assert model.uri.startswith(str(root))
    return context.name


def test_the_key_does_not_depend_on_the_location_of_the_root(tmp_path):
    keys = {key(tmp_path, root, epochs=3) for root in ("/a", "/b c/d", '/në"w', "/a.b")}
    assert len(keys) == 1


def test_the_key_depends_on_everything_else(tmp_path):
    keys = {
        key(tmp_path, "/a"),
        key(tmp_path, "/a", epochs=3),
        key(tmp_path, "/a", data="/data/a/1"),
        key(tmp_path, "/a", data="/data/b/1"),
        key(tmp_path, "/a", data="/a/1"),
    }
    assert len(keys) == 5


def statistics_spec(*beam_args, node_args=(), extra_flags=()):
    """What TFX hashes of StatisticsGen's executor, in a graph with these options."""
    beam = {"args": beam_args, "nodes": {"StatisticsGen": node_args}}
    folders = {"layout": "folders"}
    config = Config(data_root="/data", root="/a", ingestion=folders, beam=beam)
    nodes = {node.id: node for node in create_pipeline(config).components}
    spec = nodes["StatisticsGen"].executor_spec
    spec.add_extra_flags(extra_flags)
    return spec.encode()


@pytest.mark.slow
def test_beam_options_are_not_part_of_the_key(tmp_path):
    flink = ("--runner=PortableRunner", "--job_endpoint=localhost:8099")
    specs = [
        statistics_spec(),
        statistics_spec(*flink),
        statistics_spec(*flink, node_args=["--parallelism=2"]),
    ]
    assert len({spec.SerializeToString(deterministic=True) for spec in specs}) == 3
    keys = {key(tmp_path, "/a", spec) for spec in specs}
    assert len(keys) == 1
    # The code that the executor runs is.
    assert key(tmp_path, "/a", statistics_spec(extra_flags=["--code_version=1"])) not in keys


def test_tfx_computes_its_own_keys_afterwards(tmp_path):
    original = cache_utils.get_cache_context
    with contextlib.suppress(KeyboardInterrupt), portable_cache_keys("/a"):
        assert cache_utils.get_cache_context is not original
        raise KeyboardInterrupt
    assert cache_utils.get_cache_context is original


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/a/b", "<root>"),
        ("/a/b/c", "<root>/c"),
        ("/a/bc", "/a/bc"),
        ("/x/a/b/c", "/x/a/b/c"),
        ('{"x": "/a/b/c", "y": "/a/b"}', '{"x": "<root>/c", "y": "<root>"}'),
        (json.dumps(json.dumps({"x": "/a/b"})), json.dumps(json.dumps({"x": "<root>"}))),
        (3, 3),
    ],
)
def test_the_root_is_marked_where_it_begins_a_path(value, expected):
    assert mark_root(value, "/a/b") == expected
