"""``ingestion.json``: the shards of Examples, by which their events can be found again."""

from collections.abc import Mapping

from pydantic import BaseModel

from formats.beam_files import open_file

FILE_NAME = "ingestion.json"


class IngestedShard(BaseModel):
    """One shard.

    Attributes:
        path: as it was read.
        sha256: of the file's content, hexadecimal.
        events: number of events by split.
    """

    path: str
    sha256: str
    events: Mapping[str, int]


class IngestionFile(BaseModel):
    """Content of ``ingestion.json``, in the folder of the Examples.

    Attributes:
        shards: by index, the number in the names of the Parquet files.
        ignored_keys: keys besides features and label that their records may have.
        manifest_problem: how the shards differ from the manifest of the data set; may be empty.
    """

    shards: tuple[IngestedShard, ...]
    ignored_keys: tuple[str, ...] = ()
    manifest_problem: str = ""


def read_ingestion(examples_uri: str) -> IngestionFile:
    """Reads the file from the folder of the Examples.

    Raises:
        OSError: it cannot be read.
        pydantic.ValidationError: it is not valid.
    """
    with open_file(f"{examples_uri}/{FILE_NAME}") as file:
        return IngestionFile.model_validate_json(file.read())
