"""What exiftool and ffprobe, which share no code with us, find in rebuilt files beyond the neutral.

What enters: files. What leaves: for each a list of what should not be there. The tags allowed are those that say how
points and sounds are stored; everything else is a finding, whatever it says.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

TOOLS = all(shutil.which(tool) for tool in ("exiftool", "ffprobe"))

# `group:tag` of exiftool -G1, as expressions, that may hold anything: measures, counts, codings.
_MAY_BE = re.compile(
    r"File:(?:FileType|FileTypeExtension|MIMEType|ImageWidth|ImageHeight|EncodingProcess|BitsPerSample|ColorComponents"
    r"|YCbCrSubSampling|ExifByteOrder|MIMEEncoding|ByteOrderMark|Newlines|LineCount|WordCount)"
    r"|JFIF:(?:JFIFVersion|ResolutionUnit|[XY]Resolution)"
    r"|PNG:(?:ImageWidth|ImageHeight|BitDepth|ColorType|Compression|Filter|Interlace|Palette|Transparency|Gamma"
    r"|SRGBRendering|SignificantBits|BackgroundColor|WhitePoint[XY]|(?:Red|Green|Blue)[XY]|ProfileName"
    r"|AnimationFrames|AnimationPlays|ImageAnimated)"
    r"|PNG-cICP:\w+"
    r"|GIF:(?:GIFVersion|ImageWidth|ImageHeight|HasColorMap|ColorResolutionDepth|BitsPerPixel|BackgroundColor"
    r"|AnimationIterations|FrameCount|Duration|TransparentColor|PixelAspectRatio)"
    r"|RIFF:(?:VP8Version|ImageWidth|ImageHeight|HorizontalScale|VerticalScale|WebP_Flags|AlphaIsUsed|BackgroundColor"
    r"|AnimationLoopCount|FrameCount|Duration|AlphaPreprocessing|AlphaFiltering|AlphaCompression)"
    r"|ICC_Profile#?:\w+|ICC-header:\w+|ICC_Profile:\w+|ICC-\w+:\w+"
    r"|Meta:\w+|Track\d+:\w+|QuickTime:\w+|ItemProp\w*:\w+"
    r"|Matroska:\w+|ID-\w+:\w+"
)
# Of those, the ones that could tell something: they may have these values only.
_TELLING = re.compile(
    r"author|artist|creator|comment|(?<!group)descri|copyright|title|gps|location|make|model|software|serial|owner|history|xmp"
    r"|thumbnail|user|keyword|lens|date|encoder|muxing|writing|handlervendor|compressorname|uid|manufacturer|language"
    r"|tagname|tagstring|attach|cmmtype",
    re.IGNORECASE,
)
_NEUTRAL = re.compile(
    r"|0000:00:00 00:00:00Z?|2000:01:01 00:00:00|none|colours|Lavf[\d.]*|Lavc[\d. a-z0-9]*|und|unknown|eng"
    r"|0+|VideoHandler|SoundHandler|Video Media Handler|\(none\)|Unknown \(\)"
)
_OUTSIDE = ("SourceFile", "ExifTool:ExifToolVersion", "System:", "File:FileName", "File:Directory", "Composite:")
_WORDS = {
    "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id", "language", "encoder",
    "alpha_mode", "duration",
}  # fmt: skip


def remains(files: Iterable[Path]) -> dict[Path, list[str]]:
    """For each file what should not be there; an empty list where it is neutral."""
    listed = list(files)
    found: dict[Path, list[str]] = {path: [] for path in listed}
    for at in range(0, len(listed), 200):
        some = [str(path) for path in listed[at : at + 200]]
        done = subprocess.run(["exiftool", "-json", "-G1", "-a", "-u", "-ee", *some], capture_output=True, check=False)
        for tags in json.loads(done.stdout or b"[]"):
            found[Path(tags["SourceFile"])] += _telling(tags)
    for path in listed:
        if path.suffix in {".mp4", ".webm"}:
            found[path] += _words(path)
    return found


def _telling(tags: Mapping[str, object]) -> list[str]:
    problems = []
    for key, value in tags.items():
        if key.startswith(_OUTSIDE):
            continue
        telling = _TELLING.search(key.partition(":")[2]) and not _NEUTRAL.fullmatch(str(value).strip())
        if not _MAY_BE.fullmatch(key) or telling:
            problems.append(f"{key} = {str(value)[:60]}")
    return problems


def _words(path: Path) -> list[str]:
    """Streams beyond one picture and one sound, chapters, and tags that are not neutral."""
    done = subprocess.run(
        ["ffprobe", "-v", "quiet", "-of", "json", "-show_format", "-show_streams", "-show_chapters", str(path)],
        capture_output=True,
        check=False,
    )
    told = json.loads(done.stdout or b"{}")
    kinds = [stream["codec_type"] for stream in told.get("streams", ())]
    problems = [] if kinds in (["video"], ["video", "audio"]) else [f"streams {kinds}"]
    problems += ["chapters"] if told.get("chapters") else []
    for tags in (told.get("format", {}).get("tags", {}), *(s.get("tags", {}) for s in told.get("streams", ()))):
        for key, value in tags.items():
            if key.lower() not in _WORDS or (key.lower() == "encoder" and not str(value).startswith("Lav")):
                problems.append(f"tag {key} = {str(value)[:60]}")
    return problems
