"""Deletion of folders that the metadata names: only below a folder that the caller owns.

Metadata outlives moves and copies, so a path in it may belong to another pipeline root.
"""

import shutil
from pathlib import Path


class NotOwnedError(RuntimeError):
    """A folder to be deleted lies outside the folder that its owner may change."""


def remove_owned(folder: str | Path, owner: str | Path) -> None:
    """Deletes a local folder or file strictly below ``owner``; nothing happens if it is missing.

    A symbolic link below ``owner`` is removed itself; what it points to stays.

    Args:
        folder: what to delete.
        owner: the folder whose content the caller may change, such as the pipeline root.

    Raises:
        NotOwnedError: the folder is not below ``owner`` once links in its parents are followed.
    """
    path = Path(folder)
    # Only the parents: a link is removed, not followed.
    actual = path.parent.resolve() / path.name
    if path.name in ("", "..") or Path(owner).resolve() not in actual.parents:
        raise NotOwnedError(f"{folder} is not below {owner} and is not deleted")
    if actual.is_dir() and not actual.is_symlink():
        shutil.rmtree(actual)
    else:
        actual.unlink(missing_ok=True)
