"""Replacing a file on a disk that is full: the old content stays, and nothing half written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.disks import fill, small_disk
from transfer.store.durable import replace_file


def test_a_full_disk_leaves_the_old_content_and_no_temporary(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=256) as disk:
        replace_file(disk / "kept", b"old")
        filler = fill(disk, leave=8192)
        with pytest.raises(OSError, match="No space"):
            replace_file(disk / "kept", b"n" * 50_000)
        with pytest.raises(OSError, match="No space"):
            replace_file(disk / "another", b"n" * 50_000)
        assert sorted(path.name for path in disk.iterdir()) == ["filler", "kept"]
        assert (disk / "kept").read_bytes() == b"old"
        filler.unlink()
        replace_file(disk / "kept", b"new")
        assert (disk / "kept").read_bytes() == b"new"
