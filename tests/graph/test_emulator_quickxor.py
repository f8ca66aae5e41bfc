"""The emulator's own quickXorHash against published values, and against the product's, which is another program."""

from __future__ import annotations

import base64
import io
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.graph.emulator.quickxor import of_stream
from tests.graph.test_quickxor import KNOWN
from transfer.graph.quickxor import QuickXor


class Dripping:
    """A stream that gives a few bytes at a time, as sockets do."""

    def __init__(self, content: bytes, most: int) -> None:
        self._rest, self._most = content, most

    def read(self, wanted: int) -> bytes:
        """At most a few of the bytes asked for."""
        given, self._rest = self._rest[: min(wanted, self._most)], self._rest[min(wanted, self._most) :]
        return given


@pytest.mark.parametrize("content", KNOWN)
def test_known_values(content: str) -> None:
    whole = base64.b64decode(content)
    assert of_stream(io.BytesIO(whole)) == (KNOWN[content], len(whole))
    assert of_stream(cast("BinaryIO", Dripping(whole, 3))) == (KNOWN[content], len(whole))


@given(st.binary(max_size=1200))
def test_both_programs_agree(content: bytes) -> None:
    other = QuickXor()
    other.update(content)
    assert of_stream(io.BytesIO(content)) == (other.base64(), len(content))


@pytest.mark.parametrize("length", [(160 << 13) - 1, 160 << 13, (160 << 13) + 1, 3_000_001])
def test_blocks_meet(length: int) -> None:
    content = bytes(range(251)) * (length // 251 + 1)
    other = QuickXor()
    other.update(content[:length])
    assert of_stream(io.BytesIO(content[:length]))[0] == other.base64()
