"""The push directory: one folder per version, named by the time of the push."""

from tfx.dsl.io import fileio

from formats.names import SAVED_MODEL_FILE


def newest_version(push_directory: str) -> str | None:
    """Finds the folder of the newest complete export; None if there is none."""
    if not fileio.exists(push_directory):
        return None
    # Object stores list folders with a trailing slash.
    entries = (entry.strip("/") for entry in fileio.listdir(push_directory))
    versions = sorted((int(entry) for entry in entries if entry.isdecimal()), reverse=True)
    folders = (f"{push_directory}/{version}" for version in versions)
    # Pusher copies the SavedModel's file last: a folder without it is incomplete.
    return next((path for path in folders if fileio.exists(f"{path}/{SAVED_MODEL_FILE}")), None)
