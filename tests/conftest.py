"""Settings for every test."""

from hypothesis import settings

# A busy machine is not a failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_addoption(parser):
    parser.addoption(
        "--golden", action="store_true", help="write golden files instead of comparing with them"
    )
