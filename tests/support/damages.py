"""Damages by disks, cleaners and people; each one keeps as much of the file as possible."""

import os
import shutil


def flip(file):
    """Flips one bit and restores the time of the last change, as `touch -r` does."""
    content, status = bytearray(file.read_bytes()), file.stat()
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def truncate(file):
    os.truncate(file, file.stat().st_size - 1)


def empty(file):
    os.truncate(file, 0)


def delete(file):
    file.unlink()


def empty_folder(file):
    """Deletes every file of the folder; the folder stays."""
    for other in file.parent.iterdir():
        if other.is_file():
            other.unlink()


def delete_folder(file):
    shutil.rmtree(file.parent)


def add(file):
    file.with_name(f"added-{file.name}").write_bytes(b"x")


def link(file):
    """Replaces the file by a symbolic link to its content."""
    target = file.parents[2] / f"target-of-{file.name}"
    shutil.move(file, target)
    file.symlink_to(target)


def dangling_link(file):
    file.unlink()
    file.symlink_to("nowhere")


def directory(file):
    file.unlink()
    file.mkdir()


def pipe(file):
    file.unlink()
    os.mkfifo(file)


# Each damage, and the words of its description.
DAMAGES = {
    flip: "has other content (",
    truncate: " of ",
    empty: "has 0 of ",
    delete: "is missing (",
    empty_folder: "is missing (",
    delete_folder: "is missing (",
    add: "was added",
    link: "cannot be read (not a regular file)",
    dangling_link: "cannot be read (not a regular file)",
    directory: "is missing (",
    pipe: "cannot be read (not a regular file)",
}
