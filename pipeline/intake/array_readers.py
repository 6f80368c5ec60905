"""Readers of NumPy and HDF5 files: their arrays, unpacked or in parts."""

import re
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

import numpy as np

from formats.features import COLUMNS, NUM_FEATURES
from formats.file_kinds import find_format
from pipeline.intake.array_tables import ArrayChoice, make_table
from pipeline.intake.byte_streams import damage_named
from pipeline.intake.input_members import Member, is_visible, open_entry, unpacked
from pipeline.intake.intake_error import IntakeError, JoinedFilesError
from pipeline.intake.table import Table

_MAGIC_BYTES = 16
_OBJECTS = "Python objects, which are not read, since they can run code"


def open_numpy(member: Member, choice: ArrayChoice, stack: ExitStack) -> Table:
    """Opens an ``.npy`` file: a matrix, which is mapped into memory, or a structured array.

    Args:
        member: the file.
        choice: `label` may name another ``.npy`` file with the labels of a matrix of 28 columns.
        stack: keeps temporary files until the table was read.

    Raises:
        IntakeError: the file is damaged, or holds something else.
    """
    array = _load(member.name, stack.enter_context(member.local_file()))
    arrays = {"the array": array}
    if choice.label and Path(choice.label).is_file():
        arrays[choice.label] = _load(choice.label, Path(choice.label))
    if choice.label and not array.dtype.names and choice.label not in arrays:
        raise IntakeError(
            f"{member.name}: --label {choice.label} is not a file. Name the .npy file of the "
            "labels."
        )
    return make_table(member, arrays, {}, choice._replace(features=None))


def open_numpy_archive(member: Member, choice: ArrayChoice) -> Table:
    """Opens an ``.npz`` file; its arrays are unpacked, and mapped into memory.

    Arrays of Python objects are left out.

    Raises:
        IntakeError: an array is damaged, or the archive holds something else.
    """
    arrays, unread = {}, {}
    with member.local_file() as file, ZipFile(file) as archive:
        for entry in _array_entries(archive):
            name = f"{member.name}:{entry}"
            key = entry.removesuffix(".npy")
            with open_entry(name, archive, entry) as data, unpacked(data) as path:
                try:
                    arrays[key] = _load(name, path)
                except _ObjectsError as error:
                    if _form(archive, entry)[0] in ((NUM_FEATURES,), (len(COLUMNS),)):
                        raise IntakeError(
                            f"{name}: holds {_OBJECTS}, and may be the names of the columns. Save "
                            "it as text, such as `frame.columns.to_numpy(str)`, or leave it out."
                        ) from error
                    unread[key] = "Python objects, which are not read: save it as a plain array"
    return make_table(member, arrays, unread, choice)


def open_hdf5(member: Member, choice: ArrayChoice, stack: ExitStack) -> Table:
    """Opens an HDF5 file; its data sets are read in parts.

    Raises:
        IntakeError: the file is damaged, or holds something else.
    """
    import h5py

    path = stack.enter_context(member.local_file())
    # HDF5 asks for the real path, which an unpacked file lacks.
    source = path if member.path else stack.enter_context(path.open("rb"))
    with damage_named(member.name, "HDF5"):
        file = stack.enter_context(h5py.File(source, "r"))
    found = _data_sets(file)
    # A missing file would give fill values, and the file could name any file of the user.
    elsewhere = [n for n, item in found.items() if item.is_virtual or item.external]
    file.visititems_links(
        lambda name, link: elsewhere.append(name) if isinstance(link, h5py.ExternalLink) else None
    )
    # The names of its columns are pickled, and need not be in the published order.
    fields = (field for item in found.values() for field in item.dtype.names or ())
    if any(re.search("block0_values|axis0|values_block_", name) for name in (*found, *fields)):
        raise IntakeError(
            f"{member.name}: was written by pandas. Save it as Parquet: "
            '`pandas.read_hdf(FILE).to_parquet("x.parquet")`.'
        )
    missing = {name: _missing_filter(item) for name, item in found.items()}
    unread = {
        name: f"values that are packed by the HDF5 filter {number}, which is not installed"
        for name, number in missing.items()
        if number
    }
    unread |= dict.fromkeys(elsewhere, "values of another file, which is not read")
    arrays = {name: item for name, item in found.items() if name not in unread}
    return make_table(member, arrays, unread, choice)


def matrix_names(path: Path) -> list[str]:
    """Returns the names of the tables, and of the matrices of at least 28 columns.

    There are none in a file that is damaged, or neither a NumPy archive nor HDF5.
    """
    with suppress(Exception):  # Of any kind for damaged files; the reader describes them.
        if is_zipfile(path):
            with ZipFile(path) as archive:
                entries = _array_entries(archive)
                return [e.removesuffix(".npy") for e in entries if _is_wide(*_form(archive, e))]
        with path.open("rb") as file:
            is_hdf5 = find_format(file.read(_MAGIC_BYTES)) == "HDF5"
        if is_hdf5:
            import h5py

            with h5py.File(path, "r") as content:
                items = _data_sets(content).items()
                return [name for name, item in items if _is_wide(item.shape, item.dtype)]
    return []


def _form(archive: ZipFile, entry: str) -> tuple[tuple[int, ...], Any]:
    """Reads the shape and the type of an array from its header."""
    with archive.open(entry) as file:
        if np.lib.format.read_magic(file) == (1, 0):
            shape, _, kind = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, kind = np.lib.format.read_array_header_2_0(file)
    return shape, kind


def _is_wide(shape: tuple[int, ...], kind: Any) -> bool:
    return kind.names is not None or (len(shape) == 2 and shape[1] >= NUM_FEATURES)


def _array_entries(archive: ZipFile) -> list[str]:
    return [name for name in archive.namelist() if name.endswith(".npy") and is_visible(name)]


def _data_sets(file: Any) -> dict[str, Any]:
    """Returns the data sets of an HDF5 file by name; those without a shape are empty."""
    names: list[str] = []
    file.visit(names.append)
    items = {name: file[name] for name in names}
    return {name: item for name, item in items.items() if getattr(item, "shape", None)}


def _missing_filter(dataset: Any) -> int:
    """Returns the number of a filter that this HDF5 library lacks; 0 if it has all."""
    from h5py import h5z

    properties = dataset.id.get_create_plist()
    numbers = (properties.get_filter(i)[0] for i in range(properties.get_nfilters()))
    return next((number for number in numbers if not h5z.filter_avail(number)), 0)


def _load(name: str, path: Path) -> Any:
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
    except ValueError as error:
        raise IntakeError(
            f"{name}: is not a NumPy file. Save the array with `numpy.save(FILE, array)`."
        ) from error
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "pickle" in str(error) or "object" in str(error):
            raise _ObjectsError(name) from error
        raise IntakeError(
            f"{name}: is a truncated or corrupt NumPy file ({error}). Fetch it again."
        ) from error
    if path.stat().st_size > array.offset + array.nbytes:
        raise JoinedFilesError(name, "array")
    return array


class _ObjectsError(IntakeError):
    """An array of Python objects."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: holds {_OBJECTS}. Save plain arrays with `numpy.savez(FILE, X=x, y=y)`."
        )
