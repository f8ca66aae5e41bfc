"""What Debian's ffmpeg and exiftool write is built as it should be: being wrong about a harmless file is as bad."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import samples
from tests.inspection.probing import probed
from transfer.model.findings import Code

pytestmark = pytest.mark.skipif(
    shutil.which("ffmpeg") is None or shutil.which("exiftool") is None, reason="ffmpeg and exiftool are not installed"
)
PICTURE = ("-f", "lavfi", "-i", "testsrc=d=1:s=320x180:r=10")
SOUND = ("-f", "lavfi", "-i", "sine=d=1")
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")
VP9 = ("-c:v", "libvpx-vp9", "-c:a", "libopus", "-f", "webm")
FILMS = {
    "plain.mp4": H264,
    "faststart.mp4": (*H264, "-movflags", "+faststart"),
    "fragments.mp4": (*H264, "-movflags", "frag_keyframe+empty_moov"),
    "every-frame.mp4": (*H264, "-movflags", "frag_every_frame"),
    "dash.mp4": (*H264, "-movflags", "+frag_keyframe+empty_moov+default_base_moof+dash"),
    "smooth.mp4": (*H264, "-f", "ismv"),
    "phone.mp4": (*H264, "-f", "3gp"),
    "ipod.m4v": (*H264, "-f", "ipod"),
    "time-code.mp4": (*H264, "-timecode", "01:00:00:00"),
    "tags.mp4": (*H264, "-movflags", "use_metadata_tags", "-metadata", "com.apple.quicktime.location.ISO6709=+51-1/"),
    "plain.mov": H264,
    "time-code.mov": (*H264, "-timecode", "01:00:00:00"),
    "plain-sound.mov": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"),
    "plain.webm": VP9,
    "live.webm": (*VP9, "-live", "1"),
    "clusters.webm": (*VP9, "-cluster_time_limit", "100", "-reserve_index_space", "5000"),
}
PICTURES = {
    "animated.webp": ("-c:v", "libwebp_anim"),
    "animated.gif": (),
    "animated.png": ("-f", "apng"),
    "still.jpg": ("-frames:v", "1"),
    "still.png": ("-frames:v", "1", "-pred", "mixed", "-dpi", "300"),
    "still.webp": ("-frames:v", "1", "-c:v", "libwebp"),
}
ABOUT_STRUCTURE = {
    Code.MALFORMED_STRUCTURE,
    Code.SECOND_FILE,
    Code.ATTACHMENT,
    Code.INFLATES,
    Code.TRAILING_DATA,
    Code.UNDECODABLE,
    Code.TOO_MANY_STREAMS,
}


def run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=120)


def codes(path: Path) -> set[Code]:
    _, findings = probed(path.read_bytes(), path.suffix.replace(".m4v", ".mp4"))
    return {finding.code for finding in findings} & ABOUT_STRUCTURE


@pytest.mark.parametrize("name", FILMS)
def test_films_of_ffmpeg(tmp_path: Path, name: str) -> None:
    run("ffmpeg", "-v", "error", *PICTURE, *SOUND, *FILMS[name], tmp_path / name)
    assert codes(tmp_path / name) == set()


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_ffmpeg(tmp_path: Path, name: str) -> None:
    run("ffmpeg", "-v", "error", *PICTURE, *PICTURES[name], tmp_path / name)
    assert codes(tmp_path / name) == set()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".jpg", ".png", ".webp", ".gif", ".heic", ".avif"])
def test_what_exiftool_has_edited_twice(tmp_path: Path, suffix: str) -> None:
    make = {
        ".mp4": lambda: samples.mp4(0.4),
        ".mov": lambda: samples.mov(0.4),
        ".jpg": lambda: samples.jpeg(64, 48),
        ".png": lambda: samples.png(64, 48),
        ".webp": lambda: samples.webp(64, 48),
        ".gif": lambda: samples.gif(64, 48),
        ".heic": lambda: samples.heic(64, 48),
        ".avif": lambda: samples.avif(64, 48),
    }
    path = tmp_path / f"edited{suffix}"
    path.write_bytes(make[suffix]())
    for place in ("Oxford", "a place with a name that is longer by far than the one that was there before"):
        run("exiftool", "-q", "-overwrite_original", "-artist=Me", "-GPSLatitude=51", f"-XMP:City={place}", path)
        assert codes(path) == set()


def test_thumbnails_and_captions_of_exiftool(tmp_path: Path) -> None:
    path, thumbnail = tmp_path / "photo.jpg", tmp_path / "small.jpg"
    path.write_bytes(samples.jpeg(640, 480))
    thumbnail.write_bytes(samples.jpeg(64, 48, exif=False))
    run("exiftool", "-q", "-overwrite_original", "-IPTC:Caption-Abstract=words", f"-ThumbnailImage<={thumbnail}", path)
    assert codes(path) == set()
