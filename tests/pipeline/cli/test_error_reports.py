import click
import pytest
from click.testing import CliRunner

from formats.errors import DataRefusedError, UserError
from pipeline.cli.error_reports import user_errors
from pipeline.config import ConfigError


def run(error):
    @click.command()
    @user_errors()
    def command():
        raise error

    return CliRunner().invoke(command, [])


@pytest.mark.parametrize(
    ("error", "code"),
    [(UserError("x is bad"), 1), (ConfigError("x is bad"), 2), (DataRefusedError("x"), 4)],
)
def test_an_error_of_the_user_is_a_sentence_and_an_exit_code(error, code):
    result = run(error)
    assert result.exit_code == code
    assert f"Error: {error}\n" in result.output
    assert ("Usage: command" in result.output) == (code == 2)


def test_other_errors_are_not_reported_as_user_errors():
    assert isinstance(run(KeyError("x")).exception, KeyError)
