"""File names of shards: which files of a folder are read, and which only look like data."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath

SHARDS = "*.[tT][fF][rR][eE][cC]*"
"""Pattern of the names that may be shards; ``is_shard`` decides."""

MANIFEST = "manifest.json"
"""Name of the file that describes a data set; see `formats.published.manifest`."""

# `a.tfrecord`, `a.tfrec`, `a.tfrecords-00000-of-00002`, `a.tfrecord.0`, each also gzip.
_SHARD = re.compile(
    r"(?P<plain>[^._].*\.tfrec(?:ords?|s)?(?:[-._]\d+(?:-of-\d+)?)?)(?:\.gz(?:ip)?)?", re.I | re.S
)

_DATA = re.compile(
    r"part-.*|.*\.(?:tfrec.*|csv|tsv|txt|dat|data|parquet|feather|arrow|ipc|orc|avro|npy|npz|h5"
    r"|hdf5?|root|libsvm|svm|arff|jsonl?|pkl|pickle|pt|zip|tar|tgz|gz|bz2|xz|zst|7z|xlsx?)",
    re.I | re.S,
)

_PART = re.compile(r"(?P<start>.*[-._])(?P<number>\d+)-of-(?P<count>\d+)(\D.*)?", re.S)

MAX_PARTS = 10_000
"""Largest set of parts that is searched for missing ones."""


@dataclass(frozen=True)
class ShardNames:
    """The file names in a folder, by their treatment.

    Attributes:
        shards: the names that are read, sorted.
        twins: pairs of shards that are the same file, plain and gzip.
        unread: other names that look like data, sorted.
    """

    shards: list[str] = field(default_factory=list)
    twins: list[tuple[str, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def is_shard(path: str | PurePath) -> bool:
    """Returns whether a file is a shard by its name: neither hidden, unfinished nor a backup.

    >>> [is_shard(name) for name in ("a.tfrecord", "a.TFREC.gz", "a.tfrecord-00000-of-00002")]
    [True, True, True]
    >>> [is_shard(name) for name in (".a.tfrecord", "a.tfrecord.bak", "a.tfrecord.part", "a.csv")]
    [False, False, False, False]
    """
    return bool(_SHARD.fullmatch(PurePath(path).name))


def classify_names(names: Iterable[str]) -> ShardNames:
    """Sorts the names of files in one folder; hidden ones are left out.

    >>> classify_names(["a.tfrecord", "a.tfrecord.gz", "b.tfrecord.bak", "_SUCCESS", "README"])
    ShardNames(shards=['a.tfrecord', 'a.tfrecord.gz'], \
twins=[('a.tfrecord', 'a.tfrecord.gz')], unread=['b.tfrecord.bak'])
    """
    content = ShardNames()
    by_plain_name: dict[str, str] = {}
    for name in sorted(names):
        if match := _SHARD.fullmatch(name):
            content.shards.append(name)
            first = by_plain_name.setdefault(match["plain"].lower(), name)
            if first != name:
                content.twins.append((first, name))
        elif looks_like_data(name):
            content.unread.append(name)
    return content


def missing_parts(names: Iterable[str]) -> list[str]:
    """Lists the files that are missing from sets whose names count them.

    >>> missing_parts(["a.tfrecord-00000-of-00003", "a.tfrecord-00002-of-00003", "b.csv"])
    ['a.tfrecord-00001-of-00003']
    """
    parts = [match for name in names if (match := _PART.fullmatch(name))]
    present = {(match["start"], int(match["number"]), match["count"]) for match in parts}
    missing = {
        f"{match['start']}{number:0{len(match['number'])}d}-of-{match['count']}"
        for match in parts
        for number in range(min(int(match["count"]), MAX_PARTS))
        if (match["start"], number, match["count"]) not in present
    }
    return sorted(missing)


DESCRIPTIONS = (
    *("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"),
    "features.json",
)
"""Files that Hugging Face and TF Datasets write beside data."""


def looks_like_data(name: str) -> bool:
    """Returns whether a name is that of a data file, in the published layout or in another form.

    >>> looks_like_data("HIGGS.csv.gz"), looks_like_data("part-r-00000"), looks_like_data("LICENSE")
    (True, True, False)
    """
    is_other = name.startswith(".") or name in (MANIFEST, *DESCRIPTIONS)
    return not is_other and bool(_DATA.fullmatch(name))
