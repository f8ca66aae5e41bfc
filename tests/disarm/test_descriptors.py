"""The file objects that the readers and writers of films get: what the page cache is told changes no byte."""

from __future__ import annotations

import io
import os
from hashlib import sha256
from pathlib import Path

from transfer.disarm.descriptors import Inflow, Outflow

MIB = 1 << 20


def test_what_is_written_out_early_and_read_for_the_last_time_is_what_was_written(tmp_path: Path) -> None:
    piece = os.urandom(MIB)
    digest = sha256()
    descriptor = os.open(tmp_path / "film", os.O_RDWR | os.O_CREAT)
    try:
        flow = Outflow(descriptor)
        for number in range(130):
            content = number.to_bytes(4, "big") + piece[4:]
            assert flow.write(content) == MIB
            digest.update(content)
        flow.seek(0)
        flow.write(b"head")  # as a writer of MP4 goes back to its header
        assert flow.seek(0, io.SEEK_END) == 130 * MIB
        flow.seek(0)
        flow.write((0).to_bytes(4, "big"))
        for last in (True, False):
            source, seen = Inflow(descriptor, last=last), sha256()
            while part := source.read(MIB):
                seen.update(part)
            assert seen.digest() == digest.digest()
            source.seek(5 * MIB)  # what was given back is still on the disk
            assert source.read(4) == (5).to_bytes(4, "big")
    finally:
        os.close(descriptor)
