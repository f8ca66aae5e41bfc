"""The station as a whole: a spooled file, a real confined child, a real scanner where there is one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from tests import samples
from tests.inspection.probing import LIMITS, MARKS
from tests.inspection.test_clamd import needs_clamd, scanner
from tests.store import pieces
from transfer.errors import Refusal, Tampered
from transfer.inspection.examine import Unexamined, examine
from transfer.inspection.scan import NoScanner, Scanner, Scanners, eicar
from transfer.model.findings import Code, Finding, ScanAnswer
from transfer.model.identifiers import ItemId, PersonId, Sha256, SourceId
from transfer.model.media import Format
from transfer.model.names import safe_name
from transfer.model.search import Search
from transfer.model.states import Arrival, Arrived, Examined, Kind, RawBlob, Spooled
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.lease import LeasedChild
from transfer.sandbox.pool import Pool
from transfer.sandbox.replies import ExamineReply
from transfer.sandbox.requests import Role
from transfer.store.blobs import Blobs


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(role=Role.MEDIA, workers=1, limits=ChildLimits(), prefer=True) as made:
        yield made


@pytest.fixture
def child(pool: Pool) -> Iterator[LeasedChild]:
    with pool.lease() as leased:
        yield leased


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    made = Blobs(tmp_path)
    made.prepare()
    return made


def spooled(blobs: Blobs, content: bytes, name: str) -> Spooled:
    raw = pieces.spool(blobs, io.BytesIO(content), limit=len(content))
    arrival = Arrival(
        source=SourceId("s"),
        path=name.encode(),
        kind=Kind.FILE,
        device=1,
        inode=1,
        size=len(content),
        mtime_ns=1,
        ctime_ns=1,
    )
    arrived = Arrived(
        item=ItemId("i-00000000"),
        arrival=arrival,
        name=safe_name(name),
        campaign=None,
        post=None,
        submitter=PersonId("u_" + "0" * 32),
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Spooled(arrived=arrived, raw=raw)


def examined(
    child: LeasedChild, blobs: Blobs, content: bytes, name: str, scanner: Scanner | None = None
) -> Examined | Unexamined:
    return examine(
        spooled(blobs, content, name),
        child=child,
        blobs=blobs,
        scanner=Scanners(scanner or NoScanner()),
        limits=LIMITS,
        search=Search(marks=MARKS),
    )


@pytest.mark.parametrize(
    ("content", "name", "form"),
    [
        (samples.jpeg(orientation=6, icc=True, xmp=True), "photo.JPG", Format.JPEG),
        (samples.png(exif=True), "photo.png", Format.PNG),
        (samples.webp(frames=3), "photo.webp", Format.WEBP),
        (samples.gif(frames=3), "photo.gif", Format.GIF),
        (samples.heic(), "IMG_0001.HEIC", Format.HEIC),
        (samples.avif(), "photo.avif", Format.AVIF),
        (samples.mp4(0.4, data=True), "film.mp4", Format.MP4),
        (samples.mp4(0.4, codec="libx265", audio="libmp3lame"), "film.mp4", Format.MP4),
        (samples.mp4(0.4, codec="libsvtav1", audio="libopus"), "film.mp4", Format.MP4),
        (samples.mov(0.4), "film.mov", Format.MOV),
        (samples.webm(0.4), "film.webm", Format.WEBM),
        (samples.mp4(0.4, codec="libvpx", audio="vorbis", form="webm"), "film.webm", Format.WEBM),
        (samples.text(), "caption.txt", Format.TEXT),
        (samples.srt(), "film.srt", Format.SRT),
        (samples.vtt(), "film.vtt", Format.VTT),
    ],
)
def test_every_format_in_a_confined_child(
    child: LeasedChild, blobs: Blobs, content: bytes, name: str, form: Format
) -> None:
    result = examined(child, blobs, content, name)
    assert isinstance(result, Examined), result
    assert result.media.format is form
    assert result.tools["libmagic"]
    assert result.tools["scanner"] == "none"
    assert [scan.answer for scan in result.scans] == [ScanAnswer.UNAVAILABLE]


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (samples.truncated(samples.jpeg()), "photo.jpg", Code.UNDECODABLE),
        (samples.truncated(samples.heic()), "photo.heic", Code.UNDECODABLE),
        (samples.truncated(samples.mp4(0.2)), "film.mp4", Code.UNDECODABLE),
        (samples.png_claiming(60_000, 60_000), "photo.png", Code.TOO_MANY_PIXELS),
        (samples.program(), "photo.jpg", Code.TYPE_MISMATCH),
        (samples.program(), "caption.txt", Code.TEXT_IS_PROGRAM),
        (samples.jpeg(), "photo", Code.TYPE_UNKNOWN),
    ],
)
def test_what_is_not_understood_is_unexamined(
    child: LeasedChild, blobs: Blobs, content: bytes, name: str, code: Code
) -> None:
    result = examined(child, blobs, content, name)
    assert isinstance(result, Unexamined)
    assert [finding.code for finding in result.findings] == [code]


@needs_clamd
@pytest.mark.clamd
def test_the_scanner_s_clean_answer_and_version_are_kept(child: LeasedChild, blobs: Blobs, clamd: Path) -> None:
    result = examined(child, blobs, samples.jpeg(), "photo.jpg", scanner(clamd))
    assert isinstance(result, Examined)
    assert [scan.answer for scan in result.scans] == [ScanAnswer.CLEAN]
    assert result.tools["scanner"].startswith("ClamAV ")


class Untouched:
    """A child that must not be asked."""

    def examine(self, _raw: int, /, **_: object) -> None:
        raise AssertionError("malware was handed to a decoder")


@needs_clamd
@pytest.mark.clamd
def test_malware_is_not_handed_to_a_decoder(blobs: Blobs, clamd: Path) -> None:
    result = examined(Untouched(), blobs, samples.trailed(samples.jpeg(), eicar()), "p.jpg", scanner(clamd))  # type: ignore[arg-type]
    assert isinstance(result, Unexamined)
    assert [finding.code for finding in result.findings] == [Code.MALWARE]
    assert result.findings[0].detail == {"threat": "Eicar-Test-File.UNOFFICIAL", "scanner": "clamd"}


def test_a_child_that_is_too_slow_is_this_file_s_fault(child: LeasedChild, blobs: Blobs) -> None:
    item = spooled(blobs, samples.jpeg(), "photo.jpg")
    with pytest.raises(Refusal) as caught:
        examine(
            item,
            child=child,
            blobs=blobs,
            scanner=Scanners(NoScanner()),
            limits=LIMITS,
            search=Search(marks=MARKS),
            seconds=-1.0,
        )
    assert caught.value.code == Code.SANDBOX_TIMEOUT


def test_a_missing_original_is_tampering(child: LeasedChild, blobs: Blobs) -> None:
    item = spooled(blobs, b"x", "caption.txt")
    gone = Spooled(arrived=item.arrived, raw=RawBlob(sha256=Sha256("0" * 64), size=1))
    with pytest.raises(Tampered):
        examine(
            gone, child=child, blobs=blobs, scanner=Scanners(NoScanner()), limits=LIMITS, search=Search(marks=MARKS)
        )


def test_a_scanner_that_moves_the_file_s_position_does_not_matter(child: LeasedChild, blobs: Blobs) -> None:
    class Reader(NoScanner):
        def scan(self, content: BinaryIO, size: int) -> object:  # type: ignore[override]  # of the same type
            content.read()
            return super().scan(content, size)

    result = examined(child, blobs, samples.webm(0.2), "film.webm", Reader())  # type: ignore[arg-type]
    assert isinstance(result, Examined)


def test_a_larger_file_gets_more_time(blobs: Blobs) -> None:
    class Timed:
        def __init__(self) -> None:
            self.seconds: list[float] = []

        def examine(self, _raw: int, /, *, seconds: float, **_: object) -> ExamineReply:
            self.seconds.append(seconds)
            return ExamineReply(media=None, findings=(Finding(code=Code.UNDECODABLE),))

    timed = Timed()
    for size in (10, 20 << 20):
        examined(timed, blobs, bytes(size), "photo.jpg")  # type: ignore[arg-type]
    small, large = timed.seconds
    assert small + 1.9 < large < small + 2.1
