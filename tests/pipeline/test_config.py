import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from formats.gate_metrics import MetricGate
from formats.hyperparameters import resolve
from pipeline.config import ConfigError, load_config, merge

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def config_file(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("data_root: data\nroot: runs\ntrainer: {preset: demo, epochs: 3}\n")
    return file


def test_defaults_and_derived_paths(config_file):
    config = load_config(config_file)
    assert config.name == "higgs"
    assert config.seed == 0
    assert config.beam.args == ()
    assert config.ingestion.train_buckets == 2
    assert config.ingestion.eval_buckets == 1
    assert config.artifacts_root == "runs/artifacts"
    assert config.metadata_path == "runs/metadata/metadata.sqlite"
    assert config.push_directory == "runs/serving"
    assert load_config(config_file, ["push.directory=elsewhere"]).push_directory == "elsewhere"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["push.formats=[onnx]"], "push: formats lacks saved_model, with which later models are"),
        (["push.formats=[saved_model]", "push.triton=true"], "push: triton needs onnx among"),
        (["push.formats=[saved_model, tflite]"], "push.formats.1: must be 'saved_model'"),
    ],
)
def test_formats_that_cannot_be_pushed(config_file, overrides, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_config(config_file, overrides)


def test_trainer_is_its_preset_with_differences(config_file):
    config = load_config(config_file, ["trainer.units=64"])
    assert config.trainer.hyperparameters() == resolve("demo", epochs=3, units=64)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("512MiB", 2**29), ("5000000000", 5 * 10**9), ("null", None)],
)
def test_the_memory_of_the_trainer_is_a_size(config_file, text, size):
    assert load_config(config_file, [f"trainer.memory={text}"]).trainer.memory == size


@pytest.mark.parametrize("text", ["-4GB", "0", "100", "4 elephants", "lots", "true", "[4]"])
def test_other_values_of_the_memory_are_refused(config_file, text):
    with pytest.raises(ConfigError, match=r"trainer\.memory: .*got"):
        load_config(config_file, [f"trainer.memory={text}"])


def test_overrides_are_yaml_and_the_last_one_wins(config_file):
    config = load_config(
        config_file,
        [
            "beam.args=[--streaming, --parallelism=2]",
            "seed=1",
            "seed=2",
            "trainer.learning_rate=0.01",
        ],
    )
    assert config.beam.args == ("--streaming", "--parallelism=2")
    assert config.seed == 2
    assert config.trainer.learning_rate == 0.01


@pytest.mark.parametrize(
    ("value", "root"),
    [
        ("/x/run #2", "/x/run #2"),
        ("# 2", "# 2"),
        ("a: b", "a: b"),
        ("2026", "2026"),
        ("1e5", "1e5"),
        ("yes", "yes"),
        ("2026-11-27", "2026-11-27"),
        ("*x", "*x"),
        ("!run", "!run"),
        ("a=b", "a=b"),
        (" x ", " x "),
        ("~", "~"),
        ('"/x/run #2"', "/x/run #2"),
        ("'2026'", "2026"),
        ("'", "'"),
    ],
)
def test_text_given_with_set_is_the_whole_value(config_file, value, root):
    assert load_config(config_file, [f"root={value}"]).root == root
    assert load_config(config_file, [f"push.directory={value}"]).push.directory == root


def test_optional_text_is_unset_with_null(config_file):
    config_file.write_text(config_file.read_text() + "push: {directory: elsewhere}\n")
    assert load_config(config_file, ["push.directory=null"]).push.directory is None
    assert load_config(config_file, ["push.directory="]).push.directory is None


def test_config_is_frozen(config_file):
    with pytest.raises(ValidationError, match="frozen"):
        load_config(config_file).seed = 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.epoch=3", "trainer.epoch: unknown key; did you mean trainer.epochs?"),
        ("trainer.tree_leaves=24", "trainer.tree_leaves: replaced by trainer.tree_depth: a tree"),
        ("traner.epochs=3", "traner: unknown key; did you mean trainer?"),
        ("evaluation.zzz=1", "known here: auc_lower_bound, auc_max_drop"),
        ("evaluation.auc_lower_bound=1.2", "evaluation.auc_lower_bound: must be less"),
        ("trainer.preset=demmo", "trainer.preset: must be 'default', 'demo' or 'kaggle'"),
        ("name=Higgs_1", "name: String should match pattern"),
        ("trainer.preset=[a]", "trainer.preset: must be 'default', 'demo' or 'kaggle'"),
        ("evaluation.auc_lower_bound=.nan", "evaluation.auc_lower_bound: must be"),
        ("seed=true", "seed: must be a number, not true or false, got True"),
        ("evaluation.auc_max_drop=true", "evaluation.auc_max_drop: must be a number, not true"),
        ("ingestion.max_duplicate_share=true", "max_duplicate_share: must be a number, not true"),
        ("serving_check.memory_gb=true", "serving_check.memory_gb: must be a number, not true or"),
        ("evaluation.gates=[{metric: auc, max_drop: true}]", "max_drop: must be a number, not"),
        ("beam.args=--x", "beam.args: must be a list, such as [--a,"),
        ("seed=-1", "seed: must be greater than or equal to 0, got -1"),
        ("data_root=", "data_root: must be a valid string, got None"),
        ("seed", "--set 'seed' is not key=value"),
        ("seed=[1", "the value is not valid YAML"),
        ("seed=3 # best", "seed: must be a valid integer, got '3 # best'"),
        ("beam.args=[--a] #b", "got '[--a] #b'"),
        ("root=  ", "root: must not consist of blanks only, got '  '"),
        ("kubeflow={experiment: '\t'}", "kubeflow.experiment: must not consist of blanks only"),
        ("vertex.endpoint.name= ", "vertex.endpoint.name: must not consist of blanks only, got"),
        ("score.id= ", "score.id: must not consist of blanks only, got ' '"),
        ("data_root=gs://b/../x", "data_root: gs://b/../x has the folder '..': object stores do"),
        ("seed=#1", "seed: must be a valid integer, got '#1'"),
    ],
)
def test_errors_name_key_value_and_remedy(config_file, override, message):
    with pytest.raises(ConfigError) as error:
        load_config(config_file, [override])
    assert message in str(error.value)


def test_all_errors_are_reported_at_once(config_file):
    with pytest.raises(ConfigError) as error:
        load_config(config_file, ["seed=-1", "bogus=1"])
    assert "seed:" in str(error.value)
    assert "bogus:" in str(error.value)


def test_missing_keys_files_and_bad_yaml(tmp_path):
    file = tmp_path / "run.yaml"
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_config(file)
    file.write_text("root: r\n")
    with pytest.raises(ConfigError, match="data_root: missing; give it in the file or with --set"):
        load_config(file)
    file.write_text("a: [")
    with pytest.raises(ConfigError, match="is not valid YAML"):
        load_config(file)
    file.write_text("- a\n")
    with pytest.raises(ConfigError, match="contains a list; expected keys and values"):
        load_config(file)


def test_yaml_cannot_make_objects(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("data_root: !!python/object/apply:os.getcwd []\nroot: r\n")
    with pytest.raises(ConfigError, match="is not valid YAML"):
        load_config(file)


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_configs_are_valid_differences(file):
    config = load_config(file)
    given = yaml.safe_load(file.read_text())
    assert set(given) < set(type(config).model_fields)


def test_kaggle_config_is_the_notebook():
    trainer = load_config(CONFIGS / "kaggle.yaml").trainer
    assert (trainer.units, trainer.blocks, trainer.dropout) == (2048, 5, 0.1)
    assert (trainer.batch_size_per_replica, trainer.epochs) == (2048, 50)


def test_merge_overrides_nested_keys():
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}}) == {
        "a": {"b": 4, "c": 2},
        "d": 3,
    }
    assert merge({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}


@pytest.mark.parametrize("path", ["abfs://b/x", "gs:/bucket/x", "http://host/x", "file:///x"])
def test_uris_of_unknown_stores_are_refused(config_file, path):
    with pytest.raises(ConfigError, match=f"data_root: {path} is neither a local path nor one of"):
        load_config(config_file, [f"data_root={path}"])


@pytest.mark.parametrize("text", ["010", "1:30", "0x10", "1_000", "2026-01-31"])
def test_numbers_of_yaml_1_1_are_not_converted(config_file, text):
    assert load_config(config_file, [f"root={text}"]).root == text
    with pytest.raises(ConfigError, match=f"seed: .*, got '{text}'"):
        load_config(config_file, [f"seed={text}"])


@pytest.mark.parametrize("name", ["007", "1.10", "no", "1e3", "0.5", "12"])
def test_text_that_looks_like_another_type_stays_as_it_was_written(config_file, name):
    config_file.write_text(f"data_root: a\nroot: {name}\n")
    assert load_config(config_file).root == name


def test_a_key_that_is_given_twice_is_refused(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("data_root: a\nroot: b\nseed: 1\nseed: 2\n")
    with pytest.raises(ConfigError, match="'seed' is given twice"):
        load_config(file)


@pytest.mark.parametrize("line", ["data_root: {{ root }}", "? [a]\n: b"], ids=["template", "list"])
def test_a_key_that_is_not_a_name_is_refused(tmp_path, line):
    file = tmp_path / "config.yaml"
    file.write_text(f"root: b\n{line}\n")
    with pytest.raises(ConfigError, match="a key is a list or a mapping, not a name"):
        load_config(file)
    with pytest.raises(ConfigError, match="a key is a list or a mapping, not a name"):
        load_config("configs/demo.yaml", ["evaluation.gates={{ gates }}"])


@pytest.mark.parametrize("value", ["!!map [a, b]", "!!bool x", "!!int ''", "!!timestamp 5"])
def test_a_value_that_does_not_fit_its_tag_is_refused(tmp_path, value):
    file = tmp_path / "config.yaml"
    file.write_text(f"root: b\ndata_root: {value}\n")
    with pytest.raises(ConfigError, match="a value does not fit its tag"):
        load_config(file)


def test_paths_may_look_like_numbers(config_file):
    assert load_config(config_file, ["data_root=2024"]).data_root == "2024"


def test_a_slash_at_the_end_of_a_folder_is_dropped():
    config = load_config(
        "configs/kubeflow.yaml",
        ["root=gs://b/higgs/", "data_root=gs://b/data//", "push.directory=gs://b/models/"],
    )
    assert config.artifacts_root == "gs://b/higgs/artifacts"
    assert config.data_root == "gs://b/data"
    assert config.push_directory == "gs://b/models"
    assert load_config("configs/demo.yaml", ["root=/"]).root == "/"


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ("{metric: auk, at_least: 0.5}", "gates.0.metric: no metric 'auk' (did you mean auc?)"),
        ("{metric: rejection, at_least: 5}", "did you mean background_rejection?"),
        ("{metric: [auc], at_least: 5}", "no metric ['auc'] (did you mean auc?)"),
        ("{metric: auc, slice: {n_b_tag: 2}, at_least: 0.5}", "did you mean n_b_tags?"),
        (
            "{metric: auc, slice: {n_b_tags: 7}, at_least: 0.5}",
            "no value of n_b_tags 7 (known: 0, 1, 2, 3, 4",
        ),
        ("{metric: auc, slice: {jet_1_b_tag: tigth}, at_least: 0.5}", "did you mean tight?"),
        ("{metric: auc}", "a gate needs at_least, at_most or max_drop"),
        ("{metric: auc, at_least: 0.9, at_most: 0.8}", "no auc is at least 0.9 and at most 0.8"),
        ("{metric: auc, max_drop: -0.1}", "gates.0.max_drop: must be greater"),
        (
            "{metric: auc, signal_efficiency: 0.4, at_least: 0.5}",
            "signal_efficiency belongs to background_rejection, not to auc",
        ),
        ("{metric: auc, atleast: 0.5}", "gates.0.atleast: unknown key"),
        ("{metric: null, at_least: 0.5}", "no metric None (known: auc, binary_accuracy, "),
        ("{metric: auc, slice: null, at_least: 0.5}", "such as {n_b_tags: 2}, got None"),
        ("{metric: auc, slice: n_b_tags, at_least: 0.5}", "a slice is a column and its value"),
        ("{metric: auc, slice: {n_b_tags: true}, at_least: 0.5}", "no value of n_b_tags True"),
        ("{metric: auc, slice: {n_b_tags: 2.0}, at_least: 0.5}", "did you mean 2?"),
        ("{metric: auc, slice: {n_b_tags: [2]}, at_least: 0.5}", "no value of n_b_tags [2]"),
        (
            "{metric: auc, slice: {n_b_tags: 1, jet_1_b_tag: tight}, at_least: 0.5}",
            "a slice has one column",
        ),
        ("{metric: auc, at_least: .nan}", "gates.0.at_least: must be a valid number"),
        ("{metric: auc, max_drop: 1e999}", "gates.0.max_drop: must be a finite number"),
        ("{metric: auc, at_least: 1.5}", "at_least 1.5 refuses every model: auc is at most 1"),
        (
            "{metric: background_rejection, at_most: 0.5}",
            "at_most 0.5 refuses every model: background_rejection is at least 1",
        ),
        (
            "{metric: background_rejection, signal_efficiency: 0, at_least: 5}",
            "signal_efficiency: must be greater than 0",
        ),
        (
            "{metric: background_rejection, signal_efficiency: 1.5, at_least: 5}",
            "signal_efficiency: must be less than 1",
        ),
        ("{metric: auc, at_most: 0.6}", "evaluation: no auc is at least 0.7 and at most 0.6"),
        (
            "{metric: auc, slice: {n_b_tags: 2}, at_least: 0.90000001}, "
            "{metric: auc, slice: {n_b_tags: 2}, at_most: 0.9}",
            "no auc of n_b_tags 2 is at least 0.90000001 and at most 0.9",
        ),
        ("auc", "evaluation.gates.0: expected keys and values, got 'auc'"),
    ],
)
def test_a_gate_that_cannot_be_applied_is_refused_with_the_nearest_name(config_file, gate, reason):
    with pytest.raises(ConfigError, match=re.escape(reason)):
        load_config(config_file, [f"evaluation.gates=[{gate}]"])


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("gates=auc", "must be a list, such as [{metric: auc, at_least: 0.8}]"),
        ("confidence=0.4", "greater than or equal to 0.5"),
        ("confidence=1", "less than or equal to 0.999999"),
        ("confidence=0.9999999999999999", "less than or equal to 0.999999"),
        ("least_events=0", "greater than or equal to 2"),
        (f"least_events={10**400}", "less than or equal to 9007199254740992"),
        ("auc_max_drop=.nan", "must be a valid number"),
        ("when_undecided=keep", "'refuse', 'keep-baseline' or 'push', got 'keep'"),
    ],
)
def test_evaluation_that_cannot_decide_is_refused(config_file, setting, reason):
    with pytest.raises(ConfigError, match=re.escape(reason)):
        load_config(config_file, [f"evaluation.{setting}"])


def test_close_signal_efficiencies_are_different_metrics(config_file):
    gates = [
        f"{{metric: background_rejection, signal_efficiency: {value}, {limit}: 20}}"
        for value, limit in ((0.3, "at_least"), (0.30000001, "at_most"))
    ]
    config = load_config(config_file, [f"evaluation.gates=[{', '.join(gates)}]"])
    assert [gate.gate().name for gate in config.evaluation.gates] == [
        "background_rejection_at_0.3",
        "background_rejection_at_0.30000001",
    ]


def test_gates_are_read_from_the_configuration(config_file):
    gates = [
        "{metric: background_rejection, signal_efficiency: 0.7, at_least: 20}",
        "{metric: auc, slice: {n_b_tags: 2}, at_least: 0.75, max_drop: 0.01}",
    ]
    config = load_config(config_file, [f"evaluation.gates=[{', '.join(gates)}]"])
    assert [gate.gate() for gate in config.evaluation.gates] == [
        MetricGate("background_rejection", at_least=20.0, signal_efficiency=0.7),
        MetricGate("auc", (("n_b_tags", "2"),), at_least=0.75, max_drop=0.01),
    ]
