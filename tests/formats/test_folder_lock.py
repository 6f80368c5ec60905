import os
import threading

import pytest

from formats.folder_lock import FolderBusyError, locked_folder


def test_a_locked_folder_is_refused_until_it_is_free(tmp_path):
    folder = tmp_path / "new" / "folder"
    with locked_folder(folder):
        sentence = f"another command is writing to {folder}; run this one again when it has ended"
        with pytest.raises(FolderBusyError, match=sentence), locked_folder(folder):
            pass
        with locked_folder(tmp_path):
            pass

    with locked_folder(folder):
        pass


def test_a_command_may_wait(tmp_path):
    order, started = [], threading.Event()

    def second():
        started.set()
        with locked_folder(tmp_path, wait=True):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked_folder(tmp_path):
        thread.start()
        started.wait()
        order.append("first")
    thread.join(10)

    assert order == ["first", "second"]


def test_a_folder_that_its_writer_removed_is_not_locked(tmp_path, monkeypatch):
    folder, opened = tmp_path / "x", os.open

    def remove_when_opened(path, *args):
        descriptor = opened(path, *args)
        folder.rmdir()
        return descriptor

    monkeypatch.setattr(os, "open", remove_when_opened)
    with pytest.raises(FolderBusyError), locked_folder(folder):
        pass
