"""quickXorHash, the only hash that every drive of Microsoft's reports for its files.

It is not cryptographic: anybody can make a second file with the same one. It says that the service has what we sent,
or that we received what it has; SHA-256 of our own bytes is what decisions are bound to.

Each byte is XORed into 160 bits, 11 bits further than the byte before it, round and round; the length goes on top.
160 bytes later the place is the same again, so rows of 160 bytes are XORed together first and placed once, at the end.
"""

from __future__ import annotations

import base64

import numpy as np

_ROW = 160  # bytes; also the bits of the state, since 11 and 160 have no factor in common
_STEP = 11  # bits
_STATE = (1 << 160) - 1
_LENGTH_AT = 96  # bits: the length lies over the last 8 of 20 bytes


class QuickXor:
    """A quickXorHash under way; fed with any number of bytes at a time."""

    def __init__(self) -> None:
        self._row = np.zeros(_ROW, dtype=np.uint8)
        self._length = 0

    def update(self, content: bytes | bytearray | memoryview) -> None:
        """Takes the next bytes."""
        taken = np.frombuffer(content, dtype=np.uint8)
        start = self._length % _ROW
        self._length += taken.size
        head = min(-start % _ROW, taken.size)  # up to where the next row begins
        self._row[start : start + head] ^= taken[:head]
        rows = (taken.size - head) // _ROW
        if rows:
            whole = taken[head : head + rows * _ROW].view(np.uint64).reshape(rows, _ROW // 8)
            self._row ^= np.bitwise_xor.reduce(whole, axis=0).view(np.uint8)
        rest = taken[head + rows * _ROW :]
        self._row[: rest.size] ^= rest

    def base64(self) -> str:
        """The hash of what was taken so far, in 28 characters of base64."""
        state = 0
        for place, byte in enumerate(self._row.tolist()):
            turned = byte << (place * _STEP % _ROW)
            state ^= (turned & _STATE) | (turned >> _ROW)
        state ^= (self._length & 0xFFFF_FFFF_FFFF_FFFF) << _LENGTH_AT
        return base64.b64encode(state.to_bytes(_ROW // 8, "little")).decode()
