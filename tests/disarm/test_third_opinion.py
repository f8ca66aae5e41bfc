"""What exiftool and ffprobe, which share no code with us, still find in rebuilt files: technical facts only."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import samples
from tests.disarm.tools import remade
from transfer.model.media import Format

pytestmark = [
    pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed"),
    pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed"),
]

MAKERS = {
    Format.JPEG: lambda: samples.jpeg(icc=True, xmp=True, comment="hello"),
    Format.PNG: lambda: samples.png(icc=True, exif=True, text={"Author": "a", "Title": "b", "Comment": "c"}),
    Format.WEBP: lambda: samples.webp(frames=2, xmp=True),
    Format.GIF: lambda: samples.gif(frames=2),
    Format.HEIC: samples.heic,
    Format.AVIF: samples.avif,
    Format.MP4: lambda: samples.mp4(data=True, comment="vid:v1"),
    Format.MOV: samples.mov,
    Format.WEBM: samples.webm,
}
# Tags that describe the coding of pixels and sound, or the profile's fixed fields.
DATES = {"0000:00:00 00:00:00", "2000:01:01 00:00:00"}
TELLING = (
    "author", "artist", "creator", "comment", "description", "copyright", "title", "gps", "location", "make", "model",
    "software", "serial", "owner", "history", "xmp", "thumbnail", "user", "keyword", "lens",
)  # fmt: skip
NEUTRAL = {
    "none", "colours", "", "VideoHandler", "SoundHandler", "Lavf", "und", "GainControl", "IEC 61966-2-1 Default RGB",
}  # fmt: skip


def told(content: bytes, form: Format, folder: Path) -> dict[str, str]:
    path = folder / f"made{form.suffixes[0]}"
    path.write_bytes(content)
    out = subprocess.run(["exiftool", "-json", "-G1", "-a", "-u", "-ee", str(path)], capture_output=True, check=True)
    (tags,) = json.loads(out.stdout)
    outside = ("SourceFile", "ExifTool:", "System:", "File:FileName", "File:Directory", "Composite:")
    return {key: str(value) for key, value in tags.items() if not key.startswith(outside)}


@pytest.mark.parametrize("form", MAKERS)
def test_exiftool_finds_nothing_telling(form: Format, tmp_path: Path) -> None:
    original = MAKERS[form]()
    made, facts = remade(original, form)
    before, after = told(original, form, tmp_path), told(made, facts.format, tmp_path)
    telling = {key for key in before if any(word in key.lower() for word in TELLING)}
    assert telling or form is Format.WEBM
    for key, value in after.items():
        word = key.partition(":")[2].lower()
        if any(telltale in word for telltale in TELLING) and word != "samplegroupdescription":
            assert value in NEUTRAL or value.strip("0 ") == "", f"{key} = {value}"
        if "date" in word:
            assert value in DATES, f"{key} = {value}"
        for secret in (samples.CAMERA, samples.AUTHOR, samples.COMMENT, "hello", "Open day", "vid:"):
            assert secret not in value
    assert not any(key.startswith(("IFD0", "ExifIFD", "GPS", "XMP", "ItemList", "UserData", "IPTC")) for key in after)
    assert not any("Warning" in key or "Error" in key for key in after)


@pytest.mark.parametrize("form", [Format.MP4, Format.MOV, Format.WEBM])
def test_ffprobe_finds_two_streams_and_no_words(form: Format, tmp_path: Path) -> None:
    made, _ = remade(MAKERS[form](), form)
    path = tmp_path / "made"
    path.write_bytes(made)
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", "-show_chapters", "-count_packets",
         str(path)],
        capture_output=True, check=True,
    )  # fmt: skip
    assert out.stderr == b""
    said = json.loads(out.stdout)
    assert [stream["codec_type"] for stream in said["streams"]] == ["video", "audio"]
    assert said["chapters"] == []
    words = {**said["format"].get("tags", {})}
    for stream in said["streams"]:
        words |= stream.get("tags", {})
    allowed = {
        "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id", "language", "encoder",
    }  # fmt: skip
    assert {key.lower() for key in words} <= allowed
    assert words.get("encoder", "Lavf") == "Lavf"
    assert set(words.get("vendor_id", "[0]")) <= set("[0]")


@pytest.mark.parametrize("form", [Format.JPEG, Format.PNG, Format.WEBP, Format.GIF])
def test_what_exiftool_writes_back_is_found(form: Format, tmp_path: Path) -> None:
    from tests.disarm.tools import residues

    made, facts = remade(MAKERS[form](), form)
    path = tmp_path / f"made{facts.format.suffixes[0]}"
    path.write_bytes(made)
    tag = "-Comment=hello" if form is Format.GIF else "-XMP:Creator=Sam"
    subprocess.run(["exiftool", "-q", "-overwrite_original", tag, str(path)], check=True)
    assert residues(path.read_bytes(), facts.format)


@pytest.mark.parametrize("tag", ["-XMP:Creator=Sam", "-ItemList:Title=Sam", "-UserData:Comment=Sam", "-Keys:Title=Sam"])
def test_what_exiftool_writes_back_into_a_film_is_found(tag: str, tmp_path: Path) -> None:
    from tests.disarm.tools import residues

    path = tmp_path / "made.mp4"
    path.write_bytes(remade(MAKERS[Format.MP4](), Format.MP4)[0])
    subprocess.run(["exiftool", "-q", "-overwrite_original", tag, str(path)], check=True)
    assert residues(path.read_bytes(), Format.MP4)
