"""Reader of ROOT files through uproot, the extra ``higgs-pipeline[root]``."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, cast

import numpy as np

from components.report.number_format import plural
from formats.features import NUM_FEATURES
from pipeline.intake.array_tables import ArrayChoice
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import (
    IntakeError,
    JoinedFilesError,
    enumerate_names,
    quote,
    shorten,
)
from pipeline.intake.table import Table, array_batches, find_columns

_RNTUPLES = ("ROOT::RNTuple", "ROOT::Experimental::RNTuple")
# The name of a class, a member or a type. Text of these characters cannot call a function.
_NAME = re.compile(r"[\w:<>,*& ~.-]*")
_TYPES = {
    "TLeafB": "i1",
    "TLeafS": "i2",
    "TLeafI": "i4",
    "TLeafL": "i8",
    "TLeafG": "i8",
    "TLeafO": "?",
    "TLeafF": "f4",
    "TLeafD": "f8",
}
"""NumPy's type of the numbers in a leaf, by its class."""
_PACKED = {"TLeafF16": "Float16_t", "TLeafD32": "Double32_t"}
"""Types whose numbers are stored with fewer bits, by the class of the leaf."""


def open_root(member: Member, tree: str | None, choice: ArrayChoice, stack: ExitStack) -> Table:
    """Opens a tree of a ROOT file.

    Args:
        member: the file.
        tree: name of the tree; may be None if there is only one.
        choice: names the branch of all features, if it was given.
        stack: keeps the file open until the table was read.

    Raises:
        IntakeError: uproot is not installed, the file is damaged, was joined from several,
            describes classes with invalid C++ names, or has no such tree; while rows are read, a
            branch does not hold one number for each entry.
    """
    file, cycles = _open_file(member, stack)
    tree = _choose(member.name, tree, sorted(cycles), is_labelled=choice.is_labelled)
    _check_descriptions(member.name, file)
    if file.classname_of(tree) in _RNTUPLES:
        raise IntakeError(
            f"{member.name}: {tree} is an RNTuple, which is not read. Write it as a TTree or as "
            "Parquet."
        )
    chosen = file[tree]
    branches = [_Branch(branch) for branch in chosen.branches]
    vectors = [branch.name for branch in branches if branch.shape == (NUM_FEATURES,)]
    all_names = [branch.name for branch in branches]
    scalars, vector, guess = columns = find_columns(
        member.name, all_names, vectors, choice.features
    )
    ordered = [branch for branch in branches if branch.name in scalars]  # Two may have one name.
    ordered += [branch for branch in branches if branch.name == vector]
    rows = int(chosen.num_entries)

    def column(index: int, part: slice) -> Any:
        branch = ordered[min(index, len(scalars))]
        if branch.shape != () and branch.name != vector:
            if packed := _describe_packed([branch]):
                raise IntakeError(f"{member.name}: {packed}")
            raise IntakeError(
                f"{member.name}: the branch {branch.name} does not hold one number per entry. "
                "Write it as a number, or name flat branches with --names FILE."
            )
        if branch.entries < rows:
            raise IntakeError(
                f"{member.name}: the branch {branch.name} has {branch.entries:,} of the {rows:,} "
                f"entries of {tree}. Fill it for every entry."
            )
        values = branch.rows(part)
        return values[:, index - len(scalars)] if branch.name == vector else values

    note = f"the last of {cycles[tree]} versions of the tree {tree} is read, of {rows:,} entries"
    notes = [f"{member.name}: {note}"] * (cycles[tree] > 1)
    if chosen.member("fFriends", none_if_missing=True):
        notes.append(f"{member.name}: {tree} has friends, whose branches are not read")
    if not file.file.fSeekFree:
        notes.append(
            f"{member.name}: was not closed by the program that wrote it; what that program had "
            "not saved yet is missing"
        )
    read, is_vector = array_batches(column, rows), vector is not None
    if not is_vector:
        wide = _describe_packed([b for b in branches if b.length == NUM_FEATURES])
        guess = guess or wide or _describe_nested(branches)
    return Table(member.name, member.description, columns.names, read, notes, guess, is_vector)


def _open_file(member: Member, stack: ExitStack) -> tuple[Any, Counter[str]]:
    """Returns the file, and the number of versions of each tree by name."""
    try:
        import uproot
    except ImportError as error:
        raise IntakeError(
            f"{member.name}: is a ROOT file. Install its reader with "
            "`pip install 'higgs-pipeline[root]'`."
        ) from error
    path = stack.enter_context(member.local_file())
    try:
        # A file of ours, because uproot does not close its own when it cannot read it. Without
        # threads: its event loop does not survive a fork, and reading would wait forever.
        stream = stack.enter_context(path.open("rb"))
        file = stack.enter_context(uproot.open(stream, use_threads=False))
        cycles = Counter(key.split(";")[0] for key in file.keys(filter_classname=_is_tree))
    except Exception as error:  # uproot raises errors of many kinds for damaged files.
        raise IntakeError(
            f"{member.name}: is a truncated or corrupt ROOT file ({type(error).__name__}). "
            "Fetch it again."
        ) from error
    stream.seek(file.file.fEND)
    if cycles and stream.read(4) == b"root":
        raise JoinedFilesError(member.name, "ROOT file")
    return file, cycles


def _describe_packed(branches: Sequence["_Branch"]) -> str:
    """Explains that branches of packed numbers are not read; empty if there are none."""
    packed = [branch for branch in branches if branch.packed]
    if not packed:
        return ""
    names = enumerate_names([branch.name for branch in packed], 3)
    return (
        f"holds {packed[0].packed}, which is not read, in {plural(len(packed), 'branch')}: "
        f"{names}. Write them as float, or the tree as Parquet."
    )


def _describe_nested(branches: Sequence["_Branch"]) -> str:
    """Explains that a branch of several numbers is not read; empty if there are enough others."""
    nested = [branch.name for branch in branches if branch.shape != ()]
    if not nested or len(branches) - len(nested) >= NUM_FEATURES:
        return ""
    return (
        f"the branch {shorten(nested[0])} does not hold one number per entry, but an object, a "
        f"vector or several leaves. Write one branch per feature, or one of {NUM_FEATURES} numbers "
        "(`features[28]/F`)."
    )


class _Branch:
    """A branch of a tree. One basket is kept, because a large one has the rows of many batches.

    Attributes:
        name: its name.
        shape: of an entry, () for a number; None unless it is a number or a fixed-size array.
        entries: their number, which may differ from that of the tree.
        length: of its first leaf, which may be an array.
        packed: the type of its numbers if it is one of those in `_PACKED`; empty for others.
    """

    def __init__(self, branch: Any):
        self.name: str = branch.name
        self._branch, self._type = branch, cast(Any, _plain_type(branch))
        self.entries = int(branch.num_entries)
        self.shape = None if self._type is None else self._type.shape
        leaves = branch.member("fLeaves")
        self.length = leaves[0].member("fLen") if len(leaves) else 0
        self.packed = next((_PACKED[e.classname] for e in leaves if e.classname in _PACKED), "")
        self._number, self._basket = -1, np.empty(0)

    def rows(self, part: slice) -> Any:
        """Returns the entries of some rows; `shape` is not None."""
        starts, pieces = self._branch.entry_offsets, []
        for i in range(bisect_right(starts, part.start) - 1, bisect_left(starts, part.stop)):
            basket = self._read(i, starts[i + 1] - starts[i])
            pieces.append(basket[max(part.start - starts[i], 0) : part.stop - starts[i]])
        return np.concatenate(pieces)

    def _read(self, number: int, entries: int) -> Any:
        import uproot

        if number != self._number:
            # Read as this type, because uproot would evaluate titles and names of types as code.
            plain = uproot.AsDtype(self._type, self._type.newbyteorder("="))
            self._basket = self._branch.basket(number).array(plain, library="np")
            self._number = number
        if len(self._basket) != entries:
            raise ValueError(f"basket {number} has {len(self._basket)} of {entries} entries")
        return self._basket


def _plain_type(branch: Any) -> np.dtype[Any] | None:
    """Returns the type of an entry, one number or an array of a fixed size; None for all others."""
    leaves = branch.member("fLeaves")
    kind = _TYPES.get(leaves[0].classname) if len(leaves) == 1 else None
    if kind is None or branch.branches or leaves[0].member("fLeafCount") is not None:
        return None
    title = re.fullmatch(r"[^\[\]]*((\[\d+\])*)", leaves[0].member("fTitle"))
    if title is None:
        return None
    if leaves[0].member("fIsUnsigned"):
        kind = kind.replace("i", "u")
    return np.dtype((f">{kind}", tuple(map(int, re.findall(r"\d+", title[1])))))


def _check_descriptions(name: str, file: Any) -> None:
    """Checks the names in descriptions of classes, from which uproot generates code and runs it.

    Raises:
        IntakeError: a name contains a character that C++ names do not have.
    """
    classes = [info for versions in file.file.streamers.values() for info in versions.values()]
    parts = [part for info in classes for part in (info, *info.elements)]
    for key, text in ((key, text) for part in parts for key, text in part.all_members.items()):
        if key != "fTitle" and isinstance(text, str) and not _NAME.fullmatch(text):
            raise IntakeError(
                f"{name}: has a class or member named {quote(text)}, which is not a C++ name. "
                "Write it as Parquet in the program that wrote it."
            )


def _is_tree(class_name: str) -> bool:
    return class_name.startswith(("TTree", "TNtuple", *_RNTUPLES))


def _choose(name: str, tree: str | None, trees: list[str], *, is_labelled: bool) -> str:
    if tree in trees:
        return tree
    shown = enumerate_names(trees) or "none"
    if tree is not None:
        raise IntakeError(f"{name}: has no tree '{tree}'; its trees: {shown}. Name one of them.")
    if len(trees) == 1:
        return trees[0]
    if not trees:
        raise IntakeError(
            f"{name}: has no trees; it is damaged or holds other objects, such as histograms. Name "
            "a file with a tree of events."
        )
    remedy = f"Name one as {name}:TREE"
    if is_labelled:
        remedy += f"; if each holds one class, use --signal {name}:TREE --background {name}:TREE"
    raise IntakeError(f"{name}: has {len(trees)} trees: {shown}. {remedy}.")
