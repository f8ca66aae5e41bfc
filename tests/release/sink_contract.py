"""What every `Sink` must do, whatever the device's side is made of. A test class inherits this and says how to look."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.release.rig import sha256_of
from tests.store.pieces import item_id
from transfer.errors import NotSo, Tampered, TransferError, Unavailable
from transfer.model.ends import Parcel, Sink
from transfer.model.identifiers import Sha256
from transfer.model.media import Format
from transfer.model.names import safe_name
from transfer.model.states import CleanBlob


def _it_does() -> None:
    """The approval stands."""


def unsafe_parcel(
    content: BinaryIO,
    sha256: Sha256,
    size: int,
    *,
    name: str = "photo.jpg",
    temporary: str = "part-1.tmp",
    still_stands: Callable[[], None] = _it_does,
) -> Parcel:
    clean = CleanBlob(sha256=sha256, size=size, format=Format.JPEG)
    return Parcel(
        item=item_id(1),
        clean=clean,
        name=safe_name(name),
        temporary=safe_name(temporary),
        content=content,
        still_stands=still_stands,
    )


def parcel_of(
    content: bytes,
    *,
    name: str = "photo.jpg",
    temporary: str = "part-1.tmp",
    still_stands: Callable[[], None] = _it_does,
) -> Parcel:
    return unsafe_parcel(
        io.BytesIO(content),
        sha256_of(content),
        len(content),
        name=name,
        temporary=temporary,
        still_stands=still_stands,
    )


class SinkContract:
    """`sink` and `everything` come from the inheriting class. Not every place can hold an empty file."""

    takes_empty = True

    def sink(self, place: Path) -> Sink:
        raise NotImplementedError

    def everything(self, place: Path) -> dict[str, bytes]:
        """All that is on the device's side now, temporaries too."""
        raise NotImplementedError

    @pytest.mark.parametrize("size", [0, 1, 4096, 3_000_001])
    def test_what_is_put_is_there_bit_for_bit_and_the_receipt_says_so(self, tmp_path: Path, size: int) -> None:
        content = os.urandom(size)
        if not size and not self.takes_empty:
            with pytest.raises(Unavailable, match="empty"):
                self.sink(tmp_path).put(parcel_of(content))
            assert self.everything(tmp_path) == {}
            return
        receipt = self.sink(tmp_path).put(parcel_of(content))
        assert (receipt.name.text, receipt.sha256, receipt.size) == ("photo.jpg", sha256_of(content), size)
        assert self.everything(tmp_path) == {"photo.jpg": content}

    def test_nothing_is_ever_replaced(self, tmp_path: Path) -> None:
        self.sink(tmp_path).put(parcel_of(b"first"))
        with pytest.raises(Unavailable):
            self.sink(tmp_path).put(parcel_of(b"second"))
        assert self.everything(tmp_path) == {"photo.jpg": b"first"}

    @pytest.mark.parametrize("altered", [b"", b"approve", b"approved!", b"Approved", b"x" * 3_000_000])
    def test_other_bytes_than_the_approved_are_not_published(self, tmp_path: Path, altered: bytes) -> None:
        parcel = unsafe_parcel(io.BytesIO(altered), sha256_of(b"approved"), len(b"approved"))
        with pytest.raises(Tampered):
            self.sink(tmp_path).put(parcel)
        assert self.everything(tmp_path) == {}

    def test_a_size_that_does_not_fit_is_not_published_either(self, tmp_path: Path) -> None:
        with pytest.raises(Tampered):
            self.sink(tmp_path).put(unsafe_parcel(io.BytesIO(b"approved"), sha256_of(b"approved"), 9))
        assert self.everything(tmp_path) == {}

    def test_a_failing_read_leaves_nothing(self, tmp_path: Path) -> None:
        class Failing(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell():
                    raise OSError(5, "input/output error")
                return super().read(3)

        with pytest.raises(Unavailable):
            self.sink(tmp_path).put(unsafe_parcel(Failing(b"approved"), sha256_of(b"approved"), 8))
        assert self.everything(tmp_path) == {}

    @pytest.mark.parametrize("word", [NotSo("It was withdrawn."), Unavailable("Releasing is paused.")])
    def test_the_approval_is_asked_for_when_all_was_read_and_nothing_shows(
        self, tmp_path: Path, word: TransferError
    ) -> None:
        content = os.urandom(3_000_001)
        stream = io.BytesIO(content)
        asked = []

        def ended() -> None:
            asked.append((stream.tell(), "photo.jpg" in self.everything(tmp_path)))
            raise word

        with pytest.raises(type(word)) as raised:
            self.sink(tmp_path).put(unsafe_parcel(stream, sha256_of(content), len(content), still_stands=ended))
        assert raised.value is word
        assert asked == [(len(content), False)]
        assert self.everything(tmp_path) == {}
        self.sink(tmp_path).put(parcel_of(content))
        assert self.everything(tmp_path) == {"photo.jpg": content}

    def test_it_is_not_asked_about_bytes_that_are_not_the_approved(self, tmp_path: Path) -> None:
        def never() -> None:
            pytest.fail("asked about bytes that will not be published")

        parcel = unsafe_parcel(io.BytesIO(b"Approved"), sha256_of(b"approved"), 8, still_stands=never)
        with pytest.raises(Tampered):
            self.sink(tmp_path).put(parcel)

    @pytest.mark.parametrize("chunk", [0, 1, 2])
    def test_killed_while_writing_it_has_no_final_name_and_the_next_put_succeeds(
        self, tmp_path: Path, chunk: int
    ) -> None:
        content = os.urandom((2 << 20) + 17)

        class Deadly(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell() >= chunk << 20:
                    os._exit(7)
                return super().read(size)

        child = os.fork()
        if child == 0:
            self.sink(tmp_path).put(unsafe_parcel(Deadly(content), sha256_of(content), len(content)))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert "photo.jpg" not in self.everything(tmp_path)
        self.sink(tmp_path).put(parcel_of(content))
        assert self.everything(tmp_path) == {"photo.jpg": content}
