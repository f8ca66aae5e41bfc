"""Every file of the corpus through the real stations: exactly its verdict, rule and clause; what passes is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.clamd import CLAMD
from tests.corpus import cabinet
from tests.corpus.independent import TOOLS, remains
from tests.corpus.likeness import FILM, likeness, seconds
from tests.corpus.stations import Judged, Stations, stations
from transfer.model.media import Format
from transfer.sandbox.profiles import kernel_support

ALIKE = 30.0  # dB: below this a picture written anew at the policy's quality has lost something
SAME_TIME = 0.05  # seconds
pytestmark = [
    pytest.mark.slow,
    pytest.mark.clamd,
    pytest.mark.timeout(1_200),
    pytest.mark.skipif(CLAMD is None, reason="clamd is not installed"),
    pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot confine children"),
]
MANIFEST = cabinet.manifest()
PASSING = [key for key, told in MANIFEST.items() if told.category in cabinet.PASSING]
PICTURES_AND_FILMS = [key for key in PASSING if not key.endswith((".txt", ".caption", ".srt", ".vtt"))]


@pytest.fixture(scope="module")
def running() -> Iterator[Stations]:
    with stations() as ready:
        yield ready


@pytest.fixture(scope="module")
def judged(running: Stations) -> Mapping[str, Judged]:
    """All files, once."""
    root = cabinet.built()
    files = [root / key for key in cabinet.names()]
    return {str(path.relative_to(root)): told for path, told in running.judge_all(files)}


def test_the_manifest_and_the_builder_name_the_same_files() -> None:
    assert set(MANIFEST) == set(cabinet.names())
    assert len(MANIFEST) >= 250
    assert {told.category for told in MANIFEST.values()} == set(cabinet.MAKERS)
    assert all(told.made.endswith(".") for told in MANIFEST.values())


def test_the_same_builder_makes_the_same_bytes() -> None:
    for key in cabinet.names()[::9]:
        made, kept = cabinet.content(key), cabinet.path_of(key).read_bytes()
        assert hashlib.sha256(made).digest() == hashlib.sha256(kept).digest(), key


@pytest.mark.parametrize("key", MANIFEST)
def test_every_file_gets_exactly_its_verdict_rule_and_clause(judged: Mapping[str, Judged], key: str) -> None:
    told, wanted = judged[key], MANIFEST[key]
    assert (told.verdict, told.rules, told.clauses) == (wanted.verdict, wanted.rules, wanted.clauses), told.reasons
    if told.verdict != "refused":
        assert told.notes == wanted.notes, told.reasons


@pytest.mark.parametrize("key", PICTURES_AND_FILMS)
def test_what_passes_is_still_the_same_picture(judged: Mapping[str, Judged], key: str) -> None:
    told, original = judged[key], cabinet.path_of(key).read_bytes()
    assert told.content is not None
    film = told.media_type in FILM
    found = likeness(original, told.content, film=film)
    assert found >= ALIKE, f"{found:.1f} dB"
    if film:
        assert seconds(told.content) == pytest.approx(seconds(original), abs=SAME_TIME)


@pytest.mark.skipif(not TOOLS, reason="exiftool or ffprobe is not installed")
def test_nothing_is_left_in_what_passes(judged: Mapping[str, Judged], tmp_path: Path) -> None:
    written = write_out(judged, tmp_path)
    assert len(written) > 150
    assert {path.name: left for path, left in remains(written).items() if left} == {}
    notes = (b"x264 - core", b"x265 (build", b"GPS 51.7500")  # where those two do not look: in pictures' packets
    assert [path.name for path in written if any(note in path.read_bytes() for note in notes)] == []


@pytest.mark.skipif(not TOOLS, reason="exiftool or ffprobe is not installed")
@pytest.mark.parametrize(
    "name",
    ["camera.jpg", "place.jpg", "iptc.jpg", "comment.jpg", "faces.jpg", "words.png", "time.png", "comment.gif",
     "exif.webp", "place.heic", "place.avif", "tagged.mp4", "place.mp4", "phone-keys.mov", "cover.mp4", "chapters.mp4",
     "data-track.mp4", "two-sounds.mp4", "tagged.webm"],
)  # fmt: skip
def test_the_independent_readers_do_find_what_was_there(name: str) -> None:
    path = cabinet.path_of(f"careless/{name}")
    assert remains([path])[path]


def write_out(judged: Mapping[str, Judged], folder: Path) -> list[Path]:
    """The rebuilt files on the disk, each with the extension that its content is to have."""
    written = []
    for number, (key, told) in enumerate(judged.items()):
        if told.content is not None:
            path = folder / f"{number}-{Path(key).name.rpartition('.')[0]}{suffix(told)}"
            path.write_bytes(told.content)
            written.append(path)
    return written


def suffix(told: Judged) -> str:
    """Of what a file was made into."""
    form = Format(told.media_type)
    became = {Format.HEIC: Format.JPEG, Format.MOV: Format.MP4}.get(form, form)
    return became.suffixes[0]
