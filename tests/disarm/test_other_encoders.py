"""What Debian's ffmpeg encodes in unusual ways is copied picture by picture, whatever its packets hold beside them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.disarm.tools import remade
from transfer.model.media import Format

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

_HDR = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
X264, X265 = ("libx264", "-x264-params"), ("libx265", "-x265-params")
CODINGS = {
    "delimiters": (*X264, "aud=1"),
    "constant rate": (*X264, "nal-hrd=cbr:filler=1", "-b:v", "2M", "-maxrate", "2M", "-bufsize", "1M"),
    "open groups": (*X264, "open-gop=1:keyint=20:bframes=3"),
    "no key picture but the first": (*X264, "intra-refresh=1:keyint=20"),
    "slices": (*X264, "slices=4"),
    "fields": (*X264, "tff=1", "-flags", "+ilme+ildct"),
    "two eyes": (*X264, "frame-packing=3"),
    "h265, everything repeated": (*X265, "aud=1:repeat-headers=1:hrd=1:vbv-maxrate=2000:vbv-bufsize=2000"),
    "h265, colours": (*X265, f"hdr10=1:repeat-headers=1:max-cll=1000,400:master-display={_HDR}"),
    "h265, checksums": (*X265, "hash=1"),
    "h265, layers in time": (*X265, "temporal-layers=1"),
    "h265, fields": (*X265, "interlace=1"),
    "av1, tiles": ("libaom-av1", "-tiles", "2x2", "-cpu-used", "8", "-usage", "realtime"),
    "av1, resilient": ("libaom-av1", "-aom-params", "error-resilient=1", "-cpu-used", "8", "-usage", "realtime"),
}
DEEP = {"h265, colours"}


def pictures(path: Path) -> list[str]:
    """The digest of each decoded picture."""
    command = ("ffmpeg", "-v", "error", "-i", path, "-map", "0:v", "-f", "framemd5", "-")
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [line.rpartition(",")[2] for line in done.stdout.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", list(CODINGS))
def test_every_picture_is_the_same(tmp_path: Path, name: str) -> None:
    original, copy = tmp_path / "film.mp4", tmp_path / "copy.mp4"
    form = "yuv420p10le" if name in DEEP else "yuv420p"
    source = ("-f", "lavfi", "-i", "testsrc2=d=2:s=192x144:r=25")
    command = ("ffmpeg", "-v", "error", *source, "-pix_fmt", form, "-c:v", *CODINGS[name], original)
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    made, facts = remade(original.read_bytes(), Format.MP4)
    copy.write_bytes(made)
    assert pictures(copy) == pictures(original)
    assert facts.frames == 50
    assert b"x264 - core" not in made
    assert b"x265 (build" not in made
