"""Reader of ROOT files through uproot, the extra ``higgs-pipeline[root]``."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from formats.features import FEATURES, NUM_FEATURES
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import IntakeError, enumerate_names
from pipeline.intake.table import Batch, Table, find_vector, make_batch

_STEP = "32 MB"


def open_root(member: Member, tree: str | None, features: str | None, stack: ExitStack) -> Table:
    """Opens a tree of a ROOT file.

    Args:
        member: the file.
        tree: name of the tree; may be None if there is only one.
        features: the branch of all features, if it was given.
        stack: keeps the file open until the table was read.

    Raises:
        IntakeError: uproot is not installed, the file is damaged, or it has no such tree.
    """
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
        keys = file.keys(filter_classname=_is_tree)
    except Exception as error:  # uproot raises errors of many kinds for damaged files.
        raise IntakeError(
            f"{member.name}: is a truncated or corrupt ROOT file ({type(error).__name__}). "
            "Fetch it again."
        ) from error
    cycles = Counter(key.split(";")[0] for key in keys)
    tree = _choose(member.name, tree, sorted(cycles))
    chosen = file[tree]
    branches = tuple(chosen.keys(recursive=False))
    vectors = [name for name in branches if _shape(chosen[name]) == (NUM_FEATURES,)]
    vector = find_vector(member.name, branches, vectors, features)
    scalars = tuple(name for name in branches if name != vector)
    names = (*scalars, *(FEATURES if vector else ()))
    rows = int(chosen.num_entries)

    def read(numbers: Sequence[int], texts: Sequence[int]) -> Iterator[Batch]:
        indices = (*numbers, *texts)
        needed = [name for index, name in enumerate(scalars) if index in indices]
        if vector and max(indices, default=0) >= len(scalars):
            needed.append(vector)
        start = 0
        for arrays in chosen.iterate(needed, step_size=_STEP, library="np"):
            values = {
                index: arrays[scalars[index]]
                if index < len(scalars)
                else arrays[vector][:, index - len(scalars)]
                for index in indices
            }
            for index, array in values.items():
                _check_flat(member.name, names[index], array)
            count = len(next(iter(values.values())))
            yield make_batch(values, start, "entry", (start + count) / rows)
            start += count

    note = f"the last of {cycles[tree]} versions of the tree {tree} is read, of {rows:,} entries"
    notes = [f"{member.name}: {note}"] * (cycles[tree] > 1)
    is_vector = vector is not None
    return Table(member.name, member.description, names, read, notes, has_vectors=is_vector)


def _shape(branch: Any) -> tuple[int, ...]:
    """Returns the shape of an entry of a branch; () if it has none, or differs by entry."""
    return tuple(getattr(getattr(branch, "interpretation", None), "inner_shape", ()))


def _is_tree(class_name: str) -> bool:
    return class_name.startswith(("TTree", "TNtuple", "ROOT::RNTuple"))


def _choose(name: str, tree: str | None, trees: list[str]) -> str:
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
    remedy = (
        f"Name one as {name}:TREE; if each holds one class, use --signal {name}:TREE "
        f"--background {name}:TREE"
    )
    raise IntakeError(f"{name}: has {len(trees)} trees: {shown}. {remedy}.")


def _check_flat(name: str, branch: str, array: Any) -> None:
    if array.dtype == object or array.ndim != 1:
        raise IntakeError(
            f"{name}: the branch {branch} does not hold one number per entry. "
            "Name flat branches with --names FILE."
        )
