"""The example notebook opens a run's evaluation with TFMA's own loaders and view."""

from pathlib import Path

import pytest

from formats import names
from formats.gate_decision import read_decision

NOTEBOOK = Path(__file__).parents[2] / "docs" / "evaluation.ipynb"


def read_notebook():
    import nbformat  # for more than a second, which collecting need not take

    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed(first_run):
    from nbclient import NotebookClient

    notebook = read_notebook()
    evaluation = first_run.outcome.uri(names.EVALUATION)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("EVALUATION", evaluation)
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=NOTEBOOK.parent)
    return notebook, read_decision(evaluation)


def printed(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


def test_notebook_prints_what_the_gate_saw(executed):
    notebook, decision = executed
    assert f"{'auc':28}{decision.auc:.4f}" in printed(notebook)


def test_notebook_shows_slices_and_tfmas_view(executed):
    notebook, _ = executed
    assert "2 b-tags" in printed(notebook)
    (view,) = notebook.cells[-1].outputs
    assert "SlicingMetricsViewer" in view.data["text/plain"]


def test_notebook_is_stored_without_outputs():
    cells = read_notebook().cells
    assert not any(cell.get("outputs") for cell in cells)
