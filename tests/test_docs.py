"""The documents show what the code does: their blocks are run or checked, their links followed."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import yaml

from formats.features import DISCRETE_VALUES, FEATURES, UNITS
from formats.invalid_values import find_unknown_codes
from formats.published.record import Events, encode_records, read_events
from kubeflow.target_checks import check_kubeflow, check_vertex
from models.serving.signatures import export
from pipeline.config import Config

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CHECKS = {"vertex": check_vertex, "kubeflow": check_kubeflow}


def text(name):
    return (ROOT / "docs" / f"{name}.md").read_text()


def blocks(name, language):
    """A document's blocks, those in lists without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text(name), re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def yaml_documents(*names):
    return [
        document
        for name in names
        for block in blocks(name, "yaml")
        for document in yaml.safe_load_all(block)
    ]


OVERLAYS = [each for each in yaml_documents("cloud", "serving") if "kind" not in each]
MANIFESTS = [each for each in yaml_documents("cloud") if "kind" in each]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_to_files(document):
    prose = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose)
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (document.parent / target).exists()] == []


def test_the_table_of_columns_has_names_order_units_and_codes():
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| .* \| (.+) \|$", text("data"), re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 29))
    assert tuple(name for _, name, _ in rows) == FEATURES
    for _, name, unit in rows:
        if name in DISCRETE_VALUES:
            codes = tuple(map(float, unit.removeprefix("a code: ").split(", ")))
            assert codes == DISCRETE_VALUES[name]
        elif name.endswith("_phi"):
            assert unit == "pi / 1.7435 rad"
            assert UNITS[name] == pytest.approx(np.pi / 1.7435)
        else:
            assert float(unit.removesuffix(" GeV")) == UNITS[name]
            assert unit.endswith(" GeV") != name.endswith("_eta")


@pytest.fixture
def physical():
    """Columns in GeV and radians and levels of b-tags, each event like no other; and labels."""
    rng = np.random.default_rng(1)
    columns = {name: rng.uniform(20, 300, 40) for name in FEATURES}
    for name in FEATURES:
        if name in DISCRETE_VALUES:
            columns[name] = rng.integers(0, 3, 40)
        elif name.endswith(("_eta", "_phi")):
            columns[name] = rng.uniform(-2.4, 2.4, 40)
    return columns, rng.random(40) < 0.5


def read(folder):
    """The events of a folder's shards."""
    chunks = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            chunks += read_events(file, str(path))
    return Events(*(np.concatenate(arrays) for arrays in zip(*chunks, strict=True)))


def test_events_in_gev_and_radians_become_shards(physical, tmp_path, monkeypatch):
    columns, is_signal = physical
    monkeypatch.chdir(tmp_path)
    [block] = blocks("data", "python")
    exec(block, {"columns": columns, "is_signal": is_signal})  # noqa: S102 (our own document)
    folders = ("data/own/training", "data/own/validation", "data/own-test/training")
    parts = [read(tmp_path / folder) for folder in folders]
    assert [len(part.labels) for part in parts] == [32, 4, 4]
    written = Events(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    assert find_unknown_codes(written) == {}
    # Each event by its lepton's momentum.
    momenta = written.features[:, 0] * 54.64
    events = np.abs(columns["lepton_pt"] - momenta[:, None]).argmin(axis=1)
    assert sorted(events) == list(range(40))
    np.testing.assert_array_equal(written.labels, is_signal[events])
    for name, unit in (("m_bb", 126.04), ("jet_2_eta", 1.02947), ("jet_3_phi", np.pi / 1.7435)):
        found = written.features[:, FEATURES.index(name)]
        np.testing.assert_allclose(found, columns[name][events] / unit, rtol=1e-6)
    tags = written.features[:, FEATURES.index("jet_4_b_tag")]
    np.testing.assert_allclose(tags, columns["jet_4_b_tag"][events] * 1.5509807, rtol=1e-6)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with the model that the document names, one layer deep."""
    folder = tmp_path_factory.mktemp("serving")
    network = tf_keras.Sequential(
        [tf_keras.Input([28]), tf_keras.layers.Dense(1, "sigmoid", bias_initializer="ones")]
    )
    [path] = re.findall(r'saved_model\.load\("(.*)"\)', text("serving"))
    export(network, str(folder / path))
    return folder


def test_a_pushed_model_scores_as_shown(exported, monkeypatch, capsys):
    monkeypatch.chdir(exported)
    [block] = blocks("serving", "python")
    names = {}
    exec(block, names)  # noqa: S102 (our own document)
    shown = np.array(capsys.readouterr().out.strip("[]\n").split(), float)
    # Of a column of zeros the bias is left.
    np.testing.assert_allclose(shown, [1 / (1 + np.exp(-1))] * 3, atol=1e-6)
    records = encode_records(Events(names["features"], np.zeros(3, np.float32)))
    sent = [base64.b64decode(base64.b64encode(record)) for record in records]
    scores = names["model"].signatures["serving_default"](examples=tf.constant(sent))
    np.testing.assert_array_equal(scores["signal_probability"], names["scores"])


def test_the_table_of_signatures_is_complete(exported):
    [path] = exported.rglob("saved_model.pb")
    rows = re.findall(r"^\| `(\w+)` \|", text("serving"), re.MULTILINE)
    assert sorted(rows) == sorted(tf.saved_model.load(str(path.parent)).signatures)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=str)
def test_configurations_in_place_of_shipped_keys_pass(overlay):
    [(target, section)] = overlay.items()
    shipped = yaml.safe_load((ROOT / "configs" / f"{target}.yaml").read_text())
    config = Config.model_validate({**shipped, target: {**shipped[target], **section}})
    checked = CHECKS[target](config)
    assert checked.model_dump(exclude_unset=True).keys() >= section.keys()


def test_every_accelerator_has_its_block():
    sections = [each["vertex"] for each in OVERLAYS if "vertex" in each]
    pools = [section["training"] for section in sections if "training" in section]
    assert [pool.get("accelerator") for pool in pools] == ["NVIDIA_TESLA_T4", "TPU_V3", None]
    assert pools[2]["tpu_topology"] == "2x2"
    [kubeflow] = [each["kubeflow"] for each in OVERLAYS if "image" in each.get("kubeflow", {})]
    assert "higgs-gpu" in kubeflow["image"]
    assert kubeflow["resources"]["Trainer"]["accelerator"] == "nvidia.com/gpu"


def test_manifests_make_the_claims_that_the_configuration_mounts():
    shipped = yaml.safe_load((ROOT / "configs" / "kubeflow.yaml").read_text())["kubeflow"]
    mounted = {volume["claim"]: volume["mount_path"] for volume in shipped["volumes"]}
    *claims, pod = MANIFESTS
    assert {claim["metadata"]["name"] for claim in claims} == mounted.keys()
    [loader] = pod["spec"]["containers"]
    places = {mount["name"]: mount["mountPath"] for mount in loader["volumeMounts"]}
    assert mounted == {
        volume["persistentVolumeClaim"]["claimName"]: places[volume["name"]]
        for volume in pod["spec"]["volumes"]
    }
    assert loader["image"] == shipped["image"]


def test_roles_and_images_are_the_configurations():
    vertex = yaml.safe_load((ROOT / "configs" / "vertex.yaml").read_text())["vertex"]
    assert f"ACCOUNT={vertex['service_account']}" in text("cloud")
    assert f"--location={vertex['region']}" in text("cloud")
