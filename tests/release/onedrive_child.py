"""A process that puts one file into an emulated OneDrive, to be killed or measured.

    python -m tests.release.onedrive_child TENANT TOP SIZE SEED CHUNK [NAME]

Prints `growth N`: by how many bytes its memory grew while it sent. The content follows from the seed and is never whole
in memory.
"""

from __future__ import annotations

import hashlib
import io
import random
import resource
import sys
from pathlib import Path

from tests.graph.emulator.emulator import EmulatorProcess
from tests.release.onedrive_rig import End, Shore
from tests.release.sink_contract import unsafe_parcel
from transfer.model.identifiers import Sha256

BLOCK = 1 << 20


class Content(io.RawIOBase):
    """`size` bytes that follow from a seed, made when they are read."""

    def __init__(self, size: int, seed: int) -> None:
        self._block = random.Random(seed).randbytes(BLOCK)
        self._size, self._at = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = offset + {0: 0, 1: self._at, 2: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        size = min(len(buffer), self._size - self._at, BLOCK - self._at % BLOCK)
        begin = self._at % BLOCK
        buffer[:size] = self._block[begin : begin + size]
        self._at += size
        return size


def digest_of(size: int, seed: int) -> Sha256:
    content, digest = Content(size, seed), hashlib.sha256()
    while block := content.read(BLOCK):
        digest.update(block)
    return Sha256(digest.hexdigest())


def memory() -> int:
    """The most that this process ever had in memory, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    tenant, top, size, seed, chunk = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6])
    name = sys.argv[6] if len(sys.argv) > 6 else "photo.jpg"
    shore = Shore(EmulatorProcess(tenant))  # the state that another process serves
    end = End(shore, top, chunk=chunk)
    sha256 = digest_of(size, seed)
    print("ready", flush=True)
    sys.stdin.readline()
    before = memory()
    end.sink.put(unsafe_parcel(io.BufferedReader(Content(size, seed)), sha256, size, name=name))  # type: ignore[arg-type]
    print("growth", memory() - before, flush=True)
    end.close()


if __name__ == "__main__":
    main()
