"""The reader of each format."""

from contextlib import ExitStack

from pipeline.intake.array_readers import ArrayChoice, open_hdf5, open_numpy, open_numpy_archive
from pipeline.intake.arrow_readers import open_arrow, open_parquet
from pipeline.intake.csv_reader import TextOptions, open_csv
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import IntakeError, shorten
from pipeline.intake.table import Table

_WITH_COLUMNS = ("CSV", "ARFF", "libsvm")
_WITH_PARTS = ("ROOT", "HDF5", "NumPy archive")


def open_table(
    member: Member,
    text: TextOptions,
    choice: ArrayChoice,
    tree: str | None,
    stack: ExitStack,
    *,
    has_label_values: bool = False,
) -> Table:
    """Opens the table of a member; rarely used readers are imported when they are needed.

    Args:
        member: uncompressed data of a known format.
        text: options of text formats.
        choice: names of arrays or keys.
        tree: name of a ROOT tree, or of an array, group or table of NumPy and HDF5 files.
        stack: keeps files open until the table was read.
        has_label_values: whether options say which labels are signal and background.

    Raises:
        IntakeError: the member cannot be read.
    """
    if tree is not None and member.kind not in _WITH_PARTS:
        raise IntakeError(
            f"{member.name}: is {member.description}, which has no parts with names. Leave out "
            f"':{shorten(tree)}'."
        )
    if choice.features is not None and member.kind in _WITH_COLUMNS:
        raise IntakeError(
            f"{member.name}: is {member.description}, which has columns and no arrays. Leave out "
            "--features."
        )
    if member.kind == "CSV":
        return open_csv(member, text)
    if member.kind == "ARFF":
        from pipeline.intake.arff_reader import open_arff

        return open_arff(member, text)
    if member.kind == "libsvm":
        from pipeline.intake.libsvm_reader import open_libsvm

        return open_libsvm(member)
    if member.kind == "TFRecord":
        from pipeline.intake.example_reader import open_records

        return open_records(member, choice, has_label_values=has_label_values)
    if member.kind == "ROOT":
        from pipeline.intake.root_reader import open_root

        return open_root(member, tree, choice.features, stack)
    choice = choice._replace(features=tree or choice.features)
    if member.kind == "NumPy archive":
        return open_numpy_archive(member, choice)
    readers = {"NumPy array": open_numpy, "HDF5": open_hdf5}
    if member.kind in readers:
        return readers[member.kind](member, choice, stack)
    return {"Parquet": open_parquet, "Arrow": open_arrow}[member.kind](
        member, choice.features, stack
    )
