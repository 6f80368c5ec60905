"""Scenarios for faults: commands, their initial state, and how they end undisturbed."""

from dataclasses import dataclass, field

TRAIN_EVENTS, EVAL_EVENTS, TEST_EVENTS = 400, 200, 100

# The smallest model that goes through every node.
SETTINGS = {
    "trainer.trees": 2,
    "trainer.units": 4,
    "trainer.blocks": 1,
    "trainer.epochs": 1,
    "trainer.derived_columns": "false",
    "trainer.buckets": 0,
    "evaluation.auc_lower_bound": 0.01,
    "evaluation.auc_max_drop": 1,
    "evaluation.least_events": 2,
}

EXPENSIVE = (
    "CollisionExampleGen",
    "StatisticsGen",
    "HistogramGen",
    "Trainer",
    "ServingCheck",
    "Evaluator",
    "TestEvaluator",
    "Scorer",
)
"""The nodes that compute for seconds."""


@dataclass(frozen=True)
class Scenario:
    """A command that is disturbed, and repeated undisturbed.

    Attributes:
        name: for the table.
        command: subcommand of `higgs`.
        settings: configuration keys, or options of the command.
        base: name of the scenario after which it starts; empty: on an empty folder.
        variant: marks the model, so that it is another one; empty: the recorded one.
        real: expensive nodes that run for real while they are disturbed.
        code: exit code of the undisturbed command.
        versions: number of versions in service at the end.
    """

    name: str
    command: str = "run"
    settings: dict = field(default_factory=dict)
    base: str = ""
    variant: str = ""
    real: tuple[str, ...] = ()
    code: int = 0
    versions: int = 0


FIRST = Scenario("first run", versions=1)
AGAIN = Scenario("nothing changed", base="first run", versions=1)
SECOND = Scenario(
    "another model", settings={"seed": 2}, base="first run", variant="second", versions=2
)
REFUSED = Scenario(
    "refused model",
    settings={"evaluation.auc_lower_bound": 0.999},
    base="first run",
    code=3,
    versions=1,
)
GENERATE = Scenario("generate", command="generate", settings={"seed": 1})
REPLACE = Scenario("generate --overwrite", "generate", {"seed": 2}, base="generate")
SCORE = Scenario("score", command="score")

LIGHT = (FIRST, AGAIN, SECOND, REFUSED, GENERATE, REPLACE, SCORE)
# The nodes that compute, each disturbed in a first run.
HEAVY = tuple(Scenario(f"first run, {node}", real=(node,), versions=1) for node in EXPENSIVE)
