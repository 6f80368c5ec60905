"""The reader of each format."""

from contextlib import ExitStack

from pipeline.intake.array_readers import open_hdf5, open_numpy, open_numpy_archive
from pipeline.intake.arrow_readers import open_arrow, open_parquet
from pipeline.intake.csv_reader import open_csv
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import IntakeError, shorten
from pipeline.intake.table import Table
from pipeline.intake.table_events import IntakeOptions

_WITH_COLUMNS = ("CSV", "ARFF", "libsvm")
_WITH_PARTS = ("ROOT", "HDF5", "NumPy archive")


def open_table(member: Member, options: IntakeOptions, tree: str | None, stack: ExitStack) -> Table:
    """Opens the table of a member; rarely used readers are imported when they are needed.

    Args:
        member: uncompressed data of a known format.
        options: how it is read.
        tree: name of a ROOT tree, or of an array, group or table of NumPy and HDF5 files.
        stack: keeps files open until the table was read.

    Raises:
        IntakeError: the member cannot be read.
    """
    if tree is not None and member.kind not in _WITH_PARTS:
        raise IntakeError(
            f"{member.name}: is {member.description}, which has no parts with names. Leave out "
            f"':{shorten(tree)}'."
        )
    choice = options.arrays
    if choice.features is not None and member.kind in _WITH_COLUMNS:
        raise IntakeError(
            f"{member.name}: is {member.description}, which has columns and no arrays. Leave out "
            "--features."
        )
    if member.kind == "CSV":
        return open_csv(member, options.decimal)
    if member.kind == "ARFF":
        from pipeline.intake.arff_reader import open_arff

        return open_arff(member, options.decimal)
    if member.kind == "libsvm":
        from pipeline.intake.libsvm_reader import open_libsvm

        return open_libsvm(member)
    if member.kind == "TFRecord":
        from pipeline.intake.example_reader import open_records

        return open_records(member, choice, has_label_values=options.labels.are_given)
    if member.kind == "ROOT":
        from pipeline.intake.root_reader import open_root

        return open_root(member, tree, choice, stack)
    choice = choice._replace(features=tree or choice.features)
    if member.kind == "NumPy archive":
        return open_numpy_archive(member, choice)
    readers = {"NumPy array": open_numpy, "HDF5": open_hdf5}
    if member.kind in readers:
        return readers[member.kind](member, choice, stack)
    return {"Parquet": open_parquet, "Arrow": open_arrow}[member.kind](
        member, choice.features, stack
    )
