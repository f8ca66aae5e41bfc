"""Films as phones, cameras and editors leave them: tags, places, tracks, pictures and pieces that nobody sees."""

from __future__ import annotations

from collections.abc import Callable

from tests import samples
from tests.corpus.build.films import displayed, film, small_jpeg, turned
from tests.corpus.build.parts import box, boxes_of, element, in_segment
from tests.disarm.film_units import with_units

_XMP_ID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA_ID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
TAGS = {"title": "Open day", "artist": samples.AUTHOR, "comment": "the take with the dog", "date": "2026"}
_PHONE = {
    "com.apple.quicktime.make": "Sample Phones",
    "com.apple.quicktime.model": "Phone 7",
    "com.apple.quicktime.location.ISO6709": "+51.7500-001.2500/",
    "com.apple.quicktime.creationdate": "2026-01-01T09:30:00+0000",
}
# As dashcams, drones and encoders write into every picture of H.264: unregistered user data.
_NOTE = b"\6\5\x27" + bytes(range(16)) + b"GPS 51.7500,-1.2500 SN7" + b"\x80"
# As system cameras have them: their own brand in front of the standard ones, and notes in XML behind the film.
_PLAIN_BRANDS, _CAMERA_BRANDS = b"ftypisom\0\0\2\0isom", b"ftypXAVC\1\0\x1f\xffXAVC"
_CAMERA_NOTES = box(
    b"meta",
    bytes(4),
    box(b"hdlr", bytes(8), b"nrtm", bytes(13)),
    box(b"xml ", bytes(4), b'<NonRealTimeMeta><Device manufacturer="Sample" serialNo="1234567"/></NonRealTimeMeta>\0'),
)


def behind(*boxes: bytes, content: bytes | None = None) -> bytes:
    """An MP4 with these boxes behind its last one."""
    return (film() if content is None else content) + b"".join(boxes)


def between(*boxes: bytes) -> bytes:
    """An MP4 with these boxes right behind its first one; sample positions are shifted by as much."""
    first, *rest = boxes_of(film(movflags="frag_keyframe+empty_moov+default_base_moof"))
    return first + b"".join(boxes) + b"".join(rest)


FILES: dict[str, Callable[[], bytes]] = {
    "tagged.mp4": lambda: film(tags=TAGS, bitexact=False),
    "place.mp4": lambda: film(tags={"location": "+51.7500-001.2500/"}),
    "dated.mp4": lambda: film(tags={"creation_time": "2026-01-01T00:00:00Z"}),
    "writer.mp4": lambda: film(tags={"encoder": "Editor 7"}, bitexact=False),
    "phone-keys.mp4": lambda: film(tags=_PHONE, movflags="use_metadata_tags"),
    "phone-keys.mov": lambda: film(form="mov", tags=_PHONE, movflags="use_metadata_tags"),
    "named-tracks.mp4": lambda: film(stream_tags={"handler_name": samples.CAMERA, "language": "deu"}),
    "cover.mp4": lambda: film(cover=small_jpeg()),
    "data-track.mp4": lambda: film(data=[("bin_data", b"gps 51.75 -1.25")]),
    "subtitles.mp4": lambda: film(words="Welcome"),
    "chapters.mp4": lambda: film(chapters=["Hall", "Library"]),
    "two-sounds.mp4": lambda: film(sounds=2),
    "two-pictures.mp4": lambda: film(pictures=2),
    "turned-90.mp4": lambda: turned(film(), 90),
    "turned-180.mp4": lambda: turned(film(), 180),
    "turned-270.mov": lambda: turned(film(form="mov"), 270),
    "scaled-and-moved.mp4": lambda: displayed(film(), 0, 1.5, -1.5, 0, move=(321, 12)),
    "mirrored.mp4": lambda: displayed(film(), -1, 0, 0, 1),
    "no-matrix.mp4": lambda: displayed(film(), 0, 0, 0, 0),
    "xmp.mp4": lambda: behind(box(b"uuid", _XMP_ID, samples.XMP)),
    "credentials.mp4": lambda: between(box(b"uuid", _C2PA_ID, bytes(4), b"manifest\0", bytes(64))),
    "unknown-uuid.mp4": lambda: behind(box(b"uuid", bytes(range(16)), b"a program's own notes")),
    "free-with-words.mp4": lambda: behind(box(b"free", b"written by Editor 7 on PRESS-LAPTOP-07")),
    "unknown-box.mp4": lambda: behind(box(b"beam", b"a phone's own notes")),
    "user-data.mp4": lambda: behind(box(b"meta", bytes(4), b"hdlr", bytes(20))),
    "zeros-behind.mp4": lambda: film() + bytes(64),
    "wide-and-skip.mov": lambda: film(form="mov") + box(b"wide") + box(b"skip", bytes(100)),
    "qt-data.mov": lambda: film(data=[("bin_data", b"gps")]).replace(b"ftypisom", b"ftypqt  ", 1),
    "tagged.mov": lambda: film(form="mov", tags=TAGS, bitexact=False),
    "tagged.webm": lambda: film(form="webm", codec="libvpx", audio="libopus", tags=TAGS),
    "subtitles.webm": lambda: film(form="webm", codec="libvpx", audio="libopus", words="Welcome"),
    "chapters.webm": lambda: film(form="webm", codec="libvpx", audio="libopus", chapters=["Hall", "Library"]),
    "padding.webm": lambda: in_segment(film(form="webm", codec="libvpx", audio=""), element(0xEC, bytes(200))),
    "named-tracks.webm": lambda: film(form="webm", codec="libvpx-vp9", audio="", stream_tags={"title": samples.CAMERA}),
    "fragmented-tagged.mp4": lambda: film(tags=TAGS, movflags="frag_keyframe+empty_moov+default_base_moof"),
    "varying-rate-tagged.mov": lambda: film(form="mov", tags=TAGS, pauses=True, between=2),
    "packet-notes.mp4": lambda: with_units(film(), [_NOTE]),
    "packet-notes-hevc.mov": lambda: with_units(film(form="mov", codec="libx265"), [b"\x4e\1" + _NOTE[1:]], form="mov"),
    "system-camera.mp4": lambda: behind(_CAMERA_NOTES, content=film().replace(_PLAIN_BRANDS, _CAMERA_BRANDS, 1)),
    "camera-sound.mov": lambda: film(form="mov", audio="pcm_s16be", tags=TAGS),
    "hevc-tagged.mov": lambda: film(form="mov", codec="libx265", codec_tag="hvc1", tags=_PHONE),
}
