"""The page of a run, from its stored artifacts, in a real browser."""

import dataclasses
import json
import math
import re
import shutil
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from browser import A4_CONTENT
from running import higgs

from components.report.executor import render_or_fallback
from components.report.report_data import read_report
from formats import names
from formats.gate_decision import read_decision

MAX_BYTES = 3_000_000


@pytest.fixture(scope="module")
def pushed_page(first_run, project):
    return project.root / "reports" / f"{first_run.outcome.run_id.replace(':', '-')}.html"


def test_every_run_prints_where_its_page_is(first_run, pushed_page):
    printed = re.search(r"^report +(\S+)$", first_run.done.output, re.MULTILINE)[1]
    assert printed == str(pushed_page)
    assert pushed_page.stat().st_size < MAX_BYTES


def test_page_of_the_node_report_has_the_same_decision_and_takes_seconds(first_run):
    # The node, which only compiled pipelines have, does not know states and times.
    nodes = {
        name: dataclasses.replace(node, state="unknown", seconds=math.nan, started=None)
        for name, node in first_run.outcome.nodes.items()
    }
    # Processor time, because other tests run beside this one.
    began = time.process_time()
    page = render_or_fallback(dataclasses.replace(first_run.outcome, run_id="", nodes=nodes))
    # The sizes of the artifacts, and so the time, do not depend on the number of events.
    assert time.process_time() - began < 10
    decision = read_decision(first_run.outcome.uri(names.EVALUATION))
    assert f'<strong id="auc">{decision.auc:.4f}</strong>' in page
    assert "Pushed" in page
    assert "rendered from the artifacts alone" in page
    assert len(page) < MAX_BYTES


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (420, "light")])
def test_page_of_a_pushed_run_is_self_contained(browser, pushed_page, width, scheme):
    browser.open(pushed_page, width=width, scheme=scheme)
    assert browser.messages() == []
    assert browser.requests() == [pushed_page.as_uri()]
    assert browser.overflow() <= 0


def test_page_shows_the_metrics_of_tfma(browser, first_run, pushed_page):
    browser.open(pushed_page)
    result = tfma.load_eval_result(first_run.outcome.uri(names.EVALUATION))
    metrics = {k: v["doubleValue"] for k, v in result.get_metrics_for_slice().items()}
    assert browser.text("#auc") == f"{metrics['auc']:.4f}"
    assert browser.text("#verdict").startswith("Pushed as version ")
    assert first_run.done.version in browser.text("#verdict")
    for name in ("binary_accuracy", "binary_crossentropy", "background_rejection"):
        value, interval = browser.text(f"#metric-{name}").split(maxsplit=1)
        assert float(value) == pytest.approx(metrics[name], rel=1e-3)
        low, high = map(float, interval.strip("()").split(" to "))
        assert low < float(value) < high


def test_page_of_a_refused_run_names_the_gates_and_the_margins(browser, refused_run):
    browser.open(refused_run.page)
    assert browser.messages() == []
    decision = read_decision(refused_run.outcome.uri(names.EVALUATION))
    missed = 0.995 - decision.auc
    status = browser.text("#verdict")
    assert status.startswith("Refused not pushed: refused by Evaluator: ")
    assert f"Evaluator: AUC, missed by {missed:.4f}" in status
    assert "Evaluator: events, missed by 1" in status
    assert browser.text("#auc") == f"{decision.auc:.4f}"


def test_tables_sort_both_ways(browser, pushed_page):
    browser.open(pushed_page)
    before = browser.column("slices", 4)
    browser.click_heading("slices", 4)
    up = browser.column("slices", 4)
    browser.click_heading("slices", 4)
    down = browser.column("slices", 4)
    assert up == sorted(before, key=float)
    assert down == up[::-1]
    assert up != before


def test_print_view_fits_the_paper(browser, pushed_page):
    browser.open(pushed_page, width=A4_CONTENT, media="print")
    assert browser.overflow() <= 0
    pdf = browser.print()
    assert pdf.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 30


def test_every_figure_has_alternative_text(browser, pushed_page):
    browser.open(pushed_page)
    figures = browser.evaluate("document.querySelectorAll('figure svg').length")
    named = browser.evaluate("document.querySelectorAll('figure svg[aria-label]').length")
    assert figures == named > 28 + 7


def test_report_command_writes_the_same_page_from_stored_artifacts(
    first_run, project, pushed_page, tmp_path
):
    out = tmp_path / "again.html"
    options = ("--root", project.root, "--run", first_run.outcome.run_id, "--out", out)
    done = higgs("report", *options)
    assert done.code == 0, done.output
    assert f"report      {out}" in done.output
    assert f"as version {first_run.done.version}" in out.read_text()
    assert out.read_text() == pushed_page.read_text()


def test_page_shows_the_rest_when_an_artifact_is_missing(first_run, project, tmp_path):
    evaluation = first_run.outcome.uri(names.EVALUATION)
    hidden = tmp_path / "hidden"
    shutil.move(evaluation, hidden)
    out = tmp_path / "page.html"
    options = ("--root", project.root, "--run", first_run.outcome.run_id, "--out", out)
    try:
        done = higgs("report", *options)
    finally:
        shutil.move(hidden, evaluation)
    assert done.code == 0, done.output
    page = out.read_text()
    assert "Some artifacts of this run could not be read" in page
    assert "<strong>evaluation</strong>: ValueError: no metrics in" in page
    assert "The evaluation could not be read; the reason is above." in page
    # A claim that would be false.
    assert "No model was evaluated." not in page
    assert "Loss by epoch" in page


def test_a_corrupt_shard_is_refused_by_name_and_record_and_gets_a_page(any_browser, own_data):
    shard = sorted((own_data.data / "validation").iterdir())[0]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(bytes(content))
    done = own_data.run()
    assert done.code == 4, done.output
    assert "DATA REFUSED" in done.output
    assert str(shard) in done.output
    assert "record 7" in done.output
    (page,) = (own_data.root / "reports").glob("*.html")
    assert str(page) in done.output
    if any_browser:
        check_page_of_refused_data(any_browser, page)


def check_page_of_refused_data(browser, page):
    browser.open(page)
    assert browser.messages() == []
    assert browser.text("#verdict").startswith("Data refused")
    assert "record 7" in browser.text("header")
    assert "No model was evaluated." in browser.text("#evaluation")
    # The data did not reach this gate.
    assert "not evaluated: not run" in browser.text("#gates tbody tr")


def test_newest_runs_are_listed_first(first_run, refused_run, project):
    done = higgs("runs", "--root", project.root)
    assert done.code == 0, done.output
    lines = done.output.splitlines()
    # Other tests may have run the pipeline in between.
    places = {
        run.run_id: next(i for i, line in enumerate(lines) if run.run_id in line)
        for run in (first_run.outcome, refused_run.outcome)
    }
    assert places[refused_run.outcome.run_id] < places[first_run.outcome.run_id]
    line = lines[places[first_run.outcome.run_id]]
    for word in ("Pushed", first_run.done.version, "7,000"):
        assert word in line
    assert "Refused" in lines[places[refused_run.outcome.run_id]]


def test_lineage_leads_from_a_version_to_its_shards(first_run, project):
    done = higgs("lineage", first_run.done.version, "--root", project.root)
    assert done.code == 0, done.output
    for output in (
        names.EXAMPLES,
        names.STATISTICS,
        names.SCHEMA,
        names.MODEL_RUN,
        names.EVALUATION,
    ):
        assert first_run.outcome.uri(output) in done.output
    assert "units=64" in done.output
    assert "data: 4,000 train events" in done.output


def test_provenance_of_a_copy_leads_there_too_and_is_verified(first_run, tmp_path):
    copy = shutil.copytree(first_run.outcome.push.destination, tmp_path / "copy")
    done = higgs("lineage", copy)
    assert done.code == 0, done.output
    decision = read_decision(first_run.outcome.uri(names.EVALUATION))
    assert f"by pipeline higgs, run {first_run.outcome.run_id}\n" in done.output
    assert f"AUC {decision.auc:.4f} on 2,000 events, no baseline" in done.output
    assert "data: 4,000 train events, fingerprint " in done.output
    assert "verified: 6 files, " in done.output
    assert tf.saved_model.load(str(copy)).signatures
    index = copy / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:-1])
    damaged = higgs("lineage", copy)
    assert damaged.code == 1
    assert "DAMAGED" in damaged.output
    assert "variables/variables.index has " in damaged.output.splitlines()[-1]


def test_unknown_version_is_answered_with_the_pushed_ones(first_run, project):
    done = higgs("lineage", "7", "--root", project.root)
    assert done.code == 1
    assert "no version '7' was pushed; known here: " in done.output
    assert first_run.done.version in done.output


@pytest.fixture(scope="module")
def evaluated_alone(first_run, events, project, tmp_path_factory):
    """The pushed model, evaluated on the validation shards without the pipeline."""
    out = tmp_path_factory.mktemp("alone") / "out"
    model = project.root / "serving" / first_run.done.version
    done = higgs("evaluate", "--model", model, "--input", events / "validation", "--out", out)
    assert done.code == 0, done.output
    return done, out


def test_any_model_can_be_evaluated_on_any_shards(evaluated_alone, first_run):
    done, out = evaluated_alone
    decision = read_decision(first_run.outcome.uri(names.EVALUATION))
    assert f"AUC {decision.auc:.4f}" in done.output
    metrics = tfma.load_eval_result(str(out / "evaluation")).get_metrics_for_slice()
    assert metrics["auc"]["doubleValue"] == pytest.approx(decision.auc, abs=1e-9)
    page = (out / "report.html").read_text()
    assert f'<strong id="auc">{decision.auc:.4f}</strong>' in page
    assert f"{out}/evaluation" in page
    assert f"{out.parent}/." not in page
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_folder_without_a_model_is_refused(events, tmp_path):
    (tmp_path / "model").mkdir()
    out = tmp_path / "out"
    done = higgs("evaluate", "--model", tmp_path / "model", "--input", events, "--out", out)
    assert done.code == 2
    shards = events / "validation"
    done = higgs("evaluate", "--model", tmp_path / "model", "--input", shards, "--out", out)
    assert done.code == 1
    assert "has no saved_model.pb; give an exported model" in done.output
    assert not out.exists()


def test_intervals_contain_the_auc_and_narrow_with_the_events(first_run):
    report = read_report(first_run.outcome)
    overall = report.evaluation.candidate.overall
    low, high = overall.auc_interval
    assert low < overall.metrics["auc"] < high
    for row in report.evaluation.candidate.slices:
        # Larger slices may have narrower intervals if their classes are easier to separate.
        if row.events < 500:
            assert np.diff(row.auc_interval) > high - low


def test_record_of_the_run_holds_its_whole_configuration(first_run, project):
    stored = json.loads(first_run.outcome.record.configuration)
    assert stored["trainer"]["units"] == 64
    assert stored["root"] == str(project.root)
    assert first_run.outcome.record.packages["tfx"] == "1.16.0"
