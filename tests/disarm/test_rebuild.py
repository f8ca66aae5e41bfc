"""The station with real children, confined, and a real spool: what it keeps, and what it refuses."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from tests import samples
from tests.disarm.tools import LIMITS, remade, residues
from tests.store import pieces
from transfer.disarm.rebuild import Unrebuilt, rebuild
from transfer.errors import Tampered, Unavailable
from transfer.inspection.examine import examine
from transfer.inspection.scan import NoScanner, Scanners
from transfer.model.findings import Code, Finding, ScanAnswer, ScanResult
from transfer.model.identifiers import ItemId, PersonId, Sha256, SourceId
from transfer.model.media import Format, MediaFacts, RebuildFacts
from transfer.model.names import safe_name
from transfer.model.recipe import Decode, Films, Recipe
from transfer.model.search import Search
from transfer.model.states import Arrival, Arrived, Examined, Kind, Rebuilt, Spooled
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.pool import Pool
from transfer.sandbox.replies import RebuildReply, ResidueReply
from transfer.sandbox.requests import Role
from transfer.store.blobs import Blobs

RECIPE = Recipe(quality=90)


@pytest.fixture(scope="module")
def media() -> Iterator[Pool]:
    with Pool(role=Role.MEDIA, workers=1, limits=ChildLimits()) as pool:
        yield pool


@pytest.fixture(scope="module")
def residue() -> Iterator[Pool]:
    with Pool(role=Role.RESIDUE, workers=1, limits=ChildLimits()) as pool:
        yield pool


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    made = Blobs(tmp_path)
    made.prepare()
    return made


def spooled(blobs: Blobs, content: bytes, name: str) -> Spooled:
    raw = pieces.spool(blobs, io.BytesIO(content), limit=1 << 30)
    arrival = Arrival(
        source=SourceId("sam"), path=name.encode(), kind=Kind.FILE, device=1, inode=1,
        size=raw.size, mtime_ns=1, ctime_ns=1,
    )  # fmt: skip
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
    blobs: Blobs, content: bytes, *, form: Format = Format.JPEG, width: int = 640, height: int = 480
) -> Examined:
    media = MediaFacts(format=form, width=width, height=height, frames=1)
    return Examined(spooled=spooled(blobs, content, "photo.jpg"), media=media, findings=(), scans=(), tools={})


class Infected:
    """A scanner that finds something in everything."""

    def scan(self, content: BinaryIO, size: int) -> ScanResult:
        assert len(content.read()) == size
        return ScanResult(answer=ScanAnswer.INFECTED, scanner="test", threat="Eicar\u202eTest")


class ScriptedChild:
    """A MEDIA child that a file has taken over: it writes and says what it likes."""

    def __init__(self, content: bytes, facts: RebuildFacts | None, *findings: Finding) -> None:
        self.content = content
        self.reply = RebuildReply(facts=facts, findings=findings)
        self.discarded = False

    def rebuild(self, raw: int, output: int, /, **_: object) -> RebuildReply:
        assert os.fstat(raw).st_size
        os.pwrite(output, self.content, 0)
        return self.reply

    def discard(self) -> None:
        self.discarded = True


def facts(form: Format = Format.JPEG, **more: int) -> RebuildFacts:
    return RebuildFacts(**({"format": form, "width": 640, "height": 480, "frames": 1} | more))


@pytest.mark.parametrize(
    ("name", "make", "becomes"),
    [
        ("photo.jpg", lambda: samples.jpeg(orientation=6), Format.JPEG),
        ("logo.png", samples.png, Format.PNG),
        ("loop.gif", lambda: samples.gif(frames=3), Format.GIF),
        ("sticker.webp", lambda: samples.webp(frames=3), Format.WEBP),
        ("phone.heic", samples.heic, Format.JPEG),
        ("new.avif", samples.avif, Format.AVIF),
        ("clip.mp4", lambda: samples.mp4(data=True), Format.MP4),
        ("clip.mov", samples.mov, Format.MP4),
        ("clip.webm", samples.webm, Format.WEBM),
        ("words.txt", samples.text, Format.TEXT),
        ("words.srt", samples.srt, Format.SRT),
        ("words.vtt", samples.vtt, Format.VTT),
    ],
)
def test_from_the_spool_to_a_clean_blob(
    media: Pool, residue: Pool, blobs: Blobs, name: str, make: object, becomes: Format
) -> None:
    with media.lease() as child:
        known = examine(
            spooled(blobs, make(), name),
            child=child,
            blobs=blobs,
            scanner=Scanners(NoScanner()),
            limits=LIMITS,
            search=Search(),
        )
        assert isinstance(known, Examined), known
        done = rebuild(
            known,
            child=child,
            residue=residue,
            blobs=blobs,
            scanner=Scanners(NoScanner()),
            limits=LIMITS,
            recipe=RECIPE,
        )
    assert isinstance(done, Rebuilt), done
    with blobs.open_clean(done.clean.sha256) as stream:
        content = stream.read()
    assert done.clean.format is done.rebuild.format is becomes
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (done.clean.sha256, done.clean.size)
    assert residues(content, becomes) == ()
    assert done.scans == (ScanResult(answer=ScanAnswer.UNAVAILABLE, scanner="none"),)


def test_malware_in_the_rebuilt_file_is_no_clean_blob(media: Pool, residue: Pool, blobs: Blobs) -> None:
    with media.lease() as child:
        done = rebuild(
            examined(blobs, samples.jpeg()), child=child, residue=residue, blobs=blobs,
            scanner=Scanners(Infected()), limits=LIMITS, recipe=RECIPE,
        )  # fmt: skip
    assert isinstance(done, Unrebuilt)
    assert [finding.code for finding in done.findings] == [Code.MALWARE]
    assert str(done.findings[0].detail["threat"]).isascii()
    assert not any(path.is_file() for path in Path(blobs._clean).rglob("*"))


@pytest.mark.parametrize(
    ("content", "said", "code"),
    [
        (samples.jpeg, facts(), Code.RESIDUE),  # the original, passed through
        (lambda: samples.jpeg(exif=False) + b"x", facts(), Code.RESIDUE),
        (lambda: b"MZ program", facts(), Code.RESIDUE),
        (lambda: b"", facts(), Code.REBUILD_FAILED),
        (lambda: samples.jpeg(exif=False), facts(width=641), Code.REBUILD_FAILED),
        (samples.text, facts(Format.TEXT), Code.REBUILD_FAILED),
        (lambda: samples.jpeg(exif=False), None, Code.REBUILD_FAILED),
    ],
)
def test_a_lying_child_makes_no_clean_blob(
    residue: Pool, blobs: Blobs, content: object, said: RebuildFacts | None, code: Code
) -> None:
    child = ScriptedChild(content(), said)
    done = rebuild(
        examined(blobs, samples.jpeg()), child=child, residue=residue, blobs=blobs,
        scanner=Scanners(NoScanner()), limits=LIMITS, recipe=RECIPE,
    )  # fmt: skip
    assert isinstance(done, Unrebuilt)
    assert {finding.code for finding in done.findings} == {code}
    assert child.discarded
    assert not any(path.is_file() for path in Path(blobs._clean).rglob("*"))


def test_lost_packets_make_no_clean_blob(residue: Pool, blobs: Blobs) -> None:
    child = ScriptedChild(b"film", facts(Format.MP4, packets_in=10, packets_out=9))
    film = examined(blobs, samples.mp4(), form=Format.MP4)
    done = rebuild(
        film,
        child=child,
        residue=residue,
        blobs=blobs,
        scanner=Scanners(NoScanner()),
        limits=LIMITS,
        recipe=RECIPE,
    )
    assert isinstance(done, Unrebuilt)
    assert done.findings[0].detail["reason"] == "packets lost"


def test_what_the_child_found_is_passed_on(residue: Pool, blobs: Blobs) -> None:
    why = Finding(code=Code.REBUILD_FAILED, detail={"reason": "broken"})
    done = rebuild(
        examined(blobs, samples.jpeg()), child=ScriptedChild(b"", None, why), residue=residue, blobs=blobs,
        scanner=Scanners(NoScanner()), limits=LIMITS, recipe=RECIPE,
    )  # fmt: skip
    assert done == Unrebuilt(findings=(why,))


def test_a_full_disk_leaves_the_item_where_it_is(residue: Pool, blobs: Blobs) -> None:
    full = Finding(code=Code.REBUILD_FAILED, detail={"world": "disk-full"})
    with pytest.raises(Unavailable, match="disk is full"):
        rebuild(
            examined(blobs, samples.jpeg()), child=ScriptedChild(b"", None, full), residue=residue, blobs=blobs,
            scanner=Scanners(NoScanner()), limits=LIMITS, recipe=RECIPE,
        )  # fmt: skip


def test_a_missing_original_is_tampering(residue: Pool, blobs: Blobs) -> None:
    known = examined(blobs, samples.jpeg())
    blobs.remove_raw(known.spooled.raw.sha256)
    with pytest.raises(Tampered):
        rebuild(
            known, child=ScriptedChild(b"", facts()), residue=residue, blobs=blobs,
            scanner=Scanners(NoScanner()), limits=LIMITS, recipe=RECIPE,
        )  # fmt: skip


def test_the_residue_child_gets_only_what_was_made(blobs: Blobs) -> None:
    class Watched:
        """A pool that notes which bytes its children are handed."""

        given: bytes = b""

        @contextlib.contextmanager
        def lease(self) -> Iterator[Watched]:
            yield self

        def residue(self, clean: int, /, **_: object) -> ResidueReply:
            Watched.given = os.pread(clean, 1 << 20, 0)
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(clean, b"x")
            return ResidueReply(findings=())

    made = samples.jpeg(exif=False)
    done = rebuild(
        examined(blobs, samples.jpeg()), child=ScriptedChild(made, facts()), residue=Watched(), blobs=blobs,
        scanner=Scanners(NoScanner()), limits=LIMITS, recipe=RECIPE,
    )  # fmt: skip
    assert isinstance(done, Rebuilt)
    assert Watched.given == made
    assert done.clean.sha256 == Sha256(hashlib.sha256(made).hexdigest())


def test_a_refusal_is_of_that_file_only(media: Pool, residue: Pool, blobs: Blobs) -> None:
    known = examined(blobs, samples.jpeg())
    tight = replace(LIMITS, pixels=10)
    with media.lease() as child:
        done = rebuild(
            known,
            child=child,
            residue=residue,
            blobs=blobs,
            scanner=Scanners(NoScanner()),
            limits=tight,
            recipe=RECIPE,
        )
    assert isinstance(done, Unrebuilt)
    assert [finding.code for finding in done.findings] == [Code.TOO_MANY_PIXELS]
    with media.lease() as child:
        done = rebuild(
            known,
            child=child,
            residue=residue,
            blobs=blobs,
            scanner=Scanners(NoScanner()),
            limits=LIMITS,
            recipe=RECIPE,
        )
    assert isinstance(done, Rebuilt)


@pytest.mark.parametrize("recipe", [replace(RECIPE, films=Films.ENCODE), replace(RECIPE, decode=Decode.ALL)])
@pytest.mark.parametrize(("name", "make"), [("clip.mp4", samples.mp4), ("clip.webm", samples.webm)])
def test_a_film_is_decoded_in_full_or_encoded_anew_in_confined_children(
    media: Pool, residue: Pool, blobs: Blobs, name: str, make: Callable[[], bytes], recipe: Recipe
) -> None:
    original = spooled(blobs, make(), name)
    with media.lease() as child:
        known = examine(
            original, child=child, blobs=blobs, scanner=Scanners(NoScanner()), limits=LIMITS, search=Search()
        )
        assert isinstance(known, Examined), known
        done = rebuild(
            known,
            child=child,
            residue=residue,
            blobs=blobs,
            scanner=Scanners(NoScanner()),
            limits=LIMITS,
            recipe=recipe,
        )
    assert isinstance(done, Rebuilt), done
    assert any(line.startswith("picture: ") for line in done.left)
    coded = [name for name in done.rebuild.removed if name.startswith("coding by the sender's program")]
    assert len(coded) == (recipe.films is Films.ENCODE)


def test_an_original_that_is_passed_off_as_encoded_anew_is_found(residue: Pool, blobs: Blobs) -> None:
    copied, facts_of_it = remade(samples.mp4(), Format.MP4)
    film = examined(blobs, samples.mp4(), form=Format.MP4)
    done = rebuild(
        film, child=ScriptedChild(copied, facts_of_it), residue=residue, blobs=blobs, scanner=Scanners(NoScanner()),
        limits=LIMITS, recipe=replace(RECIPE, films=Films.ENCODE),
    )  # fmt: skip
    assert isinstance(done, Unrebuilt)
    assert {finding.code for finding in done.findings} == {Code.RESIDUE}
