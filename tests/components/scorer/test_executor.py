import numpy as np
import pytest
from event_makers import make_published_events
from pyarrow import dataset
from shard_makers import write_shards
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.types.channel_utils import as_channel
from tfx.types.standard_artifacts import Model

from components.scorer import file_scoring
from components.scorer.component import Scorer
from components.scorer.executor import Executor
from components.scorer.input_driver import Driver
from components.scorer.score_inputs import list_data_files
from formats import names
from formats.artifact_types import Scores
from formats.errors import DataRefusedError
from pipeline.graph import ROW_READER

EVENTS = make_published_events(50, seed=4)


@pytest.fixture
def data(tmp_path):
    write_shards(tmp_path / "new", EVENTS, [20, 30])
    (tmp_path / "new" / "README.md").write_text("new events")
    return tmp_path / "new"


@pytest.fixture
def node(tmp_path, data, monkeypatch):
    """Runs the node with a model whose score is the first feature over 10."""
    monkeypatch.setattr(file_scoring, "loaded_model", lambda *_: lambda f: f[:, 0] / 10)
    model = Model()
    model.uri = str(tmp_path / "model")
    (tmp_path / "model" / "Format-Serving").mkdir(parents=True)
    (tmp_path / "model" / "Format-Serving" / "saved_model.pb").write_text("graph")
    model.set_string_custom_property(names.BASELINE_VERSION_PROPERTY, "17")

    def run(absent=0, **properties):
        model.set_int_custom_property(names.ABSENT_PROPERTY, absent)
        scores = Scores()
        scores.uri = str(tmp_path / "scores")
        Executor().Do({"model": [model]}, {"scores": [scores]}, {**parameters(data), **properties})
        return scores

    return run


def parameters(data, **options):
    channel = as_channel([Model()])
    return Scorer(channel, str(data), ROW_READER, **options).exec_properties


def content_key(data):
    info = ExecutionInfo(exec_properties=parameters(data))
    return Driver(None).run(info).exec_properties["content_key"].string_value


@pytest.mark.slow
def test_every_row_is_scored_and_counted(node, tmp_path):
    scores = node()
    assert scores.get_int_custom_property("rows") == 50
    assert scores.get_int_custom_property("flagged") == 0
    assert scores.get_string_custom_property("model_version") == "17"
    table = dataset.dataset(scores.uri).to_table()
    np.testing.assert_allclose(table["signal_probability"], EVENTS.features[:, 0] / 10, rtol=1e-6)
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == [
        "shard-00000.tfrecord.parquet",
        "shard-00001.tfrecord.parquet",
    ]


def test_without_a_model_in_service_nothing_is_scored(node, tmp_path):
    assert node(absent=1).get_int_custom_property(names.ABSENT_PROPERTY) == 1
    assert not (tmp_path / "scores").exists()


@pytest.mark.slow
def test_an_invalid_row_is_refused_or_flagged(node, data):
    features = EVENTS.features.copy()
    features[3, 0] = np.nan
    write_shards(data, EVENTS._replace(features=features), [20, 30])
    with pytest.raises(DataRefusedError, match=r"shard-00000\.tfrecord: 1 event with missing"):
        node()
    assert node(flag_invalid=1).get_int_custom_property("flagged") == 1


def test_the_cache_key_follows_the_content_of_the_files(data):
    before = content_key(data)
    assert before == content_key(data)
    path = data / "shard-00001.tfrecord"
    path.write_bytes((data / "shard-00000.tfrecord").read_bytes())
    assert content_key(data) != before


@pytest.mark.slow
def test_files_that_change_after_the_key_was_computed_are_refused(node, data):
    key = content_key(data)
    node(content_key=key)
    (data / "more.tfrecord").write_bytes((data / "shard-00000.tfrecord").read_bytes())
    with pytest.raises(DataRefusedError, match="was changed while it was scored"):
        node(content_key=key)


def test_a_folder_without_data_is_refused(tmp_path, data, node):
    for path in data.glob("*.tfrecord"):
        path.unlink()
    with pytest.raises(DataRefusedError, match="has no data files to score"):
        node()


def test_hidden_files_and_documents_are_left_out(tmp_path):
    for name in ("a.csv", "b/c.parquet", ".d.csv", "_e/f.csv", "README.md", "manifest.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert list_data_files(str(tmp_path)) == ["a.csv", "b/c.parquet"]
