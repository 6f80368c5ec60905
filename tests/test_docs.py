"""The documents agree with the code: blocks are run or checked, links and names are resolved."""

import base64
import re
from pathlib import Path

import click
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import yaml

from benchmarks.__main__ import MODULES as BENCHMARKS
from formats import names
from formats.features import DISCRETE_VALUES, FEATURES, UNITS
from formats.published.record import Events, encode_records
from kubeflow.target_checks import check_kubeflow, check_vertex
from models.serving.saved_model import export
from pipeline.cli.main import main as cli
from pipeline.config import Config
from tools import configuration_table

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CHECKS = {"vertex": check_vertex, "kubeflow": check_kubeflow}

NODES = {
    names.EXAMPLE_GEN,
    names.SCHEMA_IMPORT,
    names.STATISTICS_GEN,
    names.HISTOGRAM_GEN,
    names.SCHEMA_GEN,
    names.EXAMPLE_VALIDATOR,
    names.DATA_GATE,
    names.TRAINER,
    names.BASELINE,
    names.EVALUATOR,
    names.SERVING_CHECK,
    names.PUSHER,
}

FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
PRODUCT = "formats|components|models|pipeline"  # kubeflow.* are configuration keys, too

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def text(name):
    return (ROOT / "docs" / f"{name}.md").read_text()


def blocks(name, language):
    """The code blocks of a document; blocks in lists lose their indentation."""
    matches = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text(name), re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in matches]


def yaml_documents(*names):
    return [
        document
        for name in names
        for block in blocks(name, "yaml")
        for document in yaml.safe_load_all(block)
    ]


OVERLAYS = [each for each in yaml_documents("cloud", "serving") if "kind" not in each]
MANIFESTS = [each for each in yaml_documents("cloud") if "kind" in each]


def anchors(page):
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@each_document
def test_relative_links_lead_to_files_and_headings(document):
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", document.read_text()))
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", prose)
    dead = []
    for target, anchor in links:
        page = document.parent / target if target else document
        is_dead = not page.exists() or (anchor and anchor not in anchors(page))
        if "://" not in target and is_dead:
            dead.append(f"{target}#{anchor}")
    assert dead == []


@each_document
def test_named_files_exist(document):
    folders = f"{PRODUCT}|kubeflow|benchmarks|configs|tests|tools"
    paths = re.findall(rf"(?<![\w/.-])(?:{folders})/[\w./-]*", document.read_text())
    assert [path for path in paths if not (ROOT / path.rstrip(".")).exists()] == []


@each_document
def test_named_modules_exist(document):
    dotted_names = re.findall(rf"`((?:{PRODUCT})(?:\.\w+)+)`", document.read_text())
    assert [name for name in dotted_names if not is_defined(name)] == []


def is_defined(name):
    """Whether a dotted name is a module, or something that the source of a module mentions."""
    path = ROOT / name.replace(".", "/")
    source = path.parent.with_suffix(".py")
    return (
        path.is_dir()
        or path.with_suffix(".py").exists()
        or (source.exists() and re.search(rf"\b{path.name}\b", source.read_text()) is not None)
    )


@each_document
def test_shown_commands_and_options_exist(document):
    page = document.read_text()
    code = "\n".join([*FENCE.findall(page), *re.findall(r"`([^`\n]+)`", FENCE.sub("", page))])
    for name, arguments in re.findall(r"^(?:.*\s)?higgs ([a-z]+)(.*)$", code, re.MULTILINE):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, name
        known_options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", arguments)) <= known_options, name


@each_document
def test_shown_make_targets_exist(document):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = re.findall(r"(?:`|^)make ([a-z-]+)(?:`|  )", document.read_text(), re.MULTILINE)
    assert set(shown) <= set(targets)


@each_document
def test_shown_benchmarks_exist(document):
    page = document.read_text()
    assert set(re.findall(r"python -m benchmarks ([a-z_]+)", page)) <= BENCHMARKS.keys()
    for module in re.findall(r"python -m benchmarks\.([a-z_]+)", page):
        assert 'if __name__ == "__main__":' in (ROOT / f"benchmarks/{module}.py").read_text()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def test_the_readme_draws_every_node_of_a_local_run():
    [diagram] = re.findall(r"```mermaid\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert NODES - set(re.findall(r"\w+", diagram)) == set()


@pytest.mark.slow
def test_the_configuration_page_is_current():
    page = configuration_table.PAGE.read_text()
    assert configuration_table.render(page) == page, "run `make docs`"


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


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with an export of one layer, at the path that the document names."""
    folder = tmp_path_factory.mktemp("serving")
    network = tf_keras.Sequential(
        [tf_keras.Input([28]), tf_keras.layers.Dense(1, "sigmoid", bias_initializer="ones")]
    )
    [path] = re.findall(r'saved_model\.load\("(.*)"\)', text("serving"))
    export(network, str(folder / path))
    return folder


@pytest.mark.slow
def test_a_pushed_model_scores_as_shown(exported, monkeypatch, capsys):
    monkeypatch.chdir(exported)
    [block] = blocks("serving", "python")
    namespace = {}
    exec(block, namespace)  # noqa: S102 (from our own document)
    shown = np.array(capsys.readouterr().out.strip("[]\n").split(), float)
    # For features of zero only the bias remains.
    np.testing.assert_allclose(shown, [1 / (1 + np.exp(-1))] * 3, atol=1e-6)
    records = encode_records(Events(namespace["features"], np.zeros(3, np.float32)))
    sent = [base64.b64decode(base64.b64encode(record)) for record in records]
    scores = namespace["model"].signatures["serving_default"](examples=tf.constant(sent))
    np.testing.assert_array_equal(scores["signal_probability"], namespace["scores"])


def test_the_table_of_signatures_is_complete(exported):
    [path] = exported.rglob("saved_model.pb")
    rows = re.findall(r"^\| `(\w+)` \|", text("serving"), re.MULTILINE)
    assert sorted(rows) == sorted(tf.saved_model.load(str(path.parent)).signatures)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=str)
def test_shown_sections_are_valid_in_the_shipped_configuration(overlay):
    [(key, section)] = overlay.items()
    name = key if key in CHECKS else "demo"
    shipped = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    config = Config.model_validate({**shipped, key: {**shipped.get(key, {}), **section}})
    checked = CHECKS[key](config) if key in CHECKS else getattr(config, key)
    assert checked.model_dump(exclude_unset=True).keys() >= section.keys()


def test_every_accelerator_is_shown():
    sections = [each["vertex"] for each in OVERLAYS if "vertex" in each]
    pools = [section["training"] for section in sections if "training" in section]
    assert [pool.get("accelerator") for pool in pools] == ["NVIDIA_TESLA_T4", "TPU_V3", None]
    assert pools[2]["tpu_topology"] == "2x2"
    [kubeflow] = [each["kubeflow"] for each in OVERLAYS if "image" in each.get("kubeflow", {})]
    assert "higgs-gpu" in kubeflow["image"]
    assert kubeflow["resources"]["Trainer"]["accelerator"] == "nvidia.com/gpu"


def test_manifests_create_the_claims_that_the_configuration_mounts():
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


def test_account_and_region_are_those_of_the_configuration():
    vertex = yaml.safe_load((ROOT / "configs" / "vertex.yaml").read_text())["vertex"]
    assert f"ACCOUNT={vertex['service_account']}" in text("cloud")
    assert f"--location={vertex['region']}" in text("cloud")
