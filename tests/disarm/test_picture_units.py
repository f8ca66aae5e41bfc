"""Films that are copied: what hides in the packets of their pictures stays behind, and every picture goes along."""

from __future__ import annotations

import contextlib
import hashlib
import io
import struct
from collections.abc import Callable

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from tests.disarm.film_units import SEI, made_of, passed, pictures, units_of, with_units
from tests.disarm.tools import refusal, remade, residues
from tests.fuzz.packet_targets import sifted
from transfer.model.findings import Code
from transfer.model.media import Format

SECRET = b"51.7520,-1.2577 Helen"

# What may not go along, and what it is called. Of H.264: kind 6 is SEI, whose first byte is the kind of message.
NOTE = b"\6" + b"\5" + bytes([16 + len(SECRET)]) + b"i" * 16 + SECRET + b"\x80"
CAPTIONS = b"\6" + b"\4" + bytes([len(SECRET)]) + SECRET + b"\x80"
LONG_NOTE = b"\6" + b"\5" + b"\xff\x2d" + b"n" * 300 + b"\x80"
TWO_NOTES = b"\6" + b"\1\2ab" + b"\5\x11" + b"k" * 17 + b"\x80"
BROKEN = b"\6" + b"\5\xff\xff\xff" + SECRET
FILLER = b"\x0c" + b"\xff" * 40 + b"\x80"
NEW_KIND = b"\x1e" + SECRET
SECOND_VIEW = b"\x74" + SECRET
LONG_MARK = b"\x09\xf0" + SECRET
LONG_END = b"\x0b" + SECRET
FORBIDDEN = b"\xe5" + SECRET
H264 = {
    "an encoder's or a camera's note (SEI 5)": (NOTE, LONG_NOTE),
    "captions or a maker's data (SEI 4)": (CAPTIONS,),
    "a note beside pictures (SEI 1)": (TWO_NOTES,),
    "a broken SEI": (BROKEN, b"\6\x80", b"\6"),
    "filler": (FILLER,),
    "a unit of kind 30": (NEW_KIND,),
    "a unit of kind 20": (SECOND_VIEW,),
    "a unit of kind 9": (LONG_MARK,),
    "a unit of kind 11": (LONG_END,),
    "a unit of kind 133": (FORBIDDEN,),
    "padding": (b"",),
}
# Of H.265, with two bytes in front: the kind stands one bit higher, the layer lies across both.
H265 = {
    "an encoder's or a camera's note (SEI 5)": (b"\x4e\1" + NOTE[1:], b"\x50\1" + NOTE[1:]),
    "a note beside pictures (SEI 132)": (b"\x50\1" + b"\x84\x11\0" + b"m" * 16 + b"\x80",),
    "filler": (b"\x4c\1" + b"\xff" * 9 + b"\x80",),
    "a unit of kind 62": (b"\x7c\1" + SECRET,),
    "a unit of kind 41": (b"\x52\1" + SECRET,),
    "a unit of kind 35": (b"\x46\1\x50" + SECRET,),
    "another view or layer": (b"\x02\x09" + SECRET, b"\x03\1" + SECRET),
    "padding": (b"", b"\x02"),
}
RECOVERY = b"\6\6\1\xc4\x80"
LEVEL = b"\x4e\1" + b"\x90\4\3\xe8\0\xc8" + b"\x80"
MASTERING = b"\x4e\1" + b"\x89\x18" + b"\x33\xc2\x86\xc4\x1d\x4c\x0b\xb8\x84\xd0\x3e\x80\x3d\x13\x40\x42"
MASTERING += b"\0\x98\x96\x80\0\0\3\0\x32" + b"\x80"  # the 3 keeps the zeros around it from imitating a start


def obu(kind: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([kind << 3 | 2, len(content)]) + content


PICTURE = obu(6, b"a picture")
AV1 = {
    "metadata of kind 4 in pictures": (obu(5, b"\4\xb5" + SECRET + b"\x80"),),
    "metadata of kind 1 in pictures": (obu(5, b"\1\0\1\0\1" + SECRET + b"\x80"),),
    "a unit of kind 12": (obu(12, SECRET),),
    "a unit of kind 5": (obu(5, b""),),
    "padding": (obu(15, SECRET + b"\x80"),),
    "a list of tiles": (obu(8, SECRET),),
    "a delimiter": (obu(2, b""), obu(2, SECRET)),
    "a repeated frame header": (obu(7, SECRET),),
}


def shown(film: bytes) -> list[tuple[float, str]]:
    """When each picture is shown, and what is to be seen."""
    with av.open(io.BytesIO(film)) as container:
        return [
            (float(frame.pts * frame.time_base), hashlib.sha256(frame.to_ndarray()).hexdigest())
            for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize("name", list(H264))
@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
def test_what_hides_in_h264_stays_behind_and_is_named(name: str, last: bool) -> None:
    plain = samples.mp4()
    film = with_units(plain, H264[name], last=last)
    made, facts = remade(film, Format.MP4)
    assert name in facts.removed
    assert SECRET not in made
    assert b"x264" not in made
    assert made_of(made) == passed(plain, SEI["h264"])
    assert shown(made) == shown(plain)
    assert facts.packets_in == facts.packets_out


@pytest.mark.parametrize("name", list(H265))
def test_what_hides_in_h265_stays_behind_and_is_named(name: str) -> None:
    plain = samples.mp4(codec="libx265")
    made, facts = remade(with_units(plain, H265[name]), Format.MP4)
    assert name in facts.removed
    assert SECRET not in made
    assert made_of(made) == passed(plain, SEI["hevc"])
    assert shown(made) == shown(plain)


@pytest.mark.parametrize("form", [Format.MP4, Format.WEBM])
@pytest.mark.parametrize("name", ["metadata of kind 4 in pictures", "a unit of kind 12", "a unit of kind 5"])
def test_what_hides_in_av1_stays_behind_and_is_named(form: Format, name: str) -> None:
    """The others of the list are taken out by the container's writer already."""
    plain = samples.mp4(codec="libsvtav1") if form is Format.MP4 else samples.webm(codec="libsvtav1")
    film = with_units(plain, AV1[name], width=0, form="mp4" if form is Format.MP4 else "webm")
    made, facts = remade(film, form)
    assert name in facts.removed
    assert SECRET not in made
    assert pictures(made) == pictures(plain)


def test_shorter_lengths_are_read_too() -> None:
    plain = samples.mp4()
    film = with_units(plain, [NOTE], width=2)
    made, facts = remade(film, Format.MP4)
    assert "an encoder's or a camera's note (SEI 5)" in facts.removed
    assert SECRET not in made
    assert shown(made) == shown(plain)


def test_where_decoding_may_begin_is_kept() -> None:
    """Also where it stands in one unit with what may not go along."""
    both = RECOVERY[:-1] + NOTE[1:]
    made, facts = remade(with_units(samples.mp4(), [both]), Format.MP4)
    assert all(packet.startswith(len(RECOVERY).to_bytes(4, "big") + RECOVERY) for packet in pictures(made))
    assert SECRET not in made
    assert "an encoder's or a camera's note (SEI 5)" in facts.removed


@pytest.mark.parametrize("unit", [LEVEL, MASTERING, b"\x4e\1\x93\1\x12\x80"], ids=["level", "mastering", "transfer"])
def test_what_the_colours_mean_is_kept(unit: bytes) -> None:
    made, facts = remade(with_units(samples.mp4(codec="libx265"), [unit]), Format.MP4)
    assert all(packet.startswith(len(unit).to_bytes(4, "big") + unit) for packet in pictures(made))
    assert not any("(SEI 1" in name for name in facts.removed)


def test_colours_with_more_than_they_take_are_not() -> None:
    film = with_units(samples.mp4(codec="libx265"), [LEVEL[:3] + b"\x1a\3\xe8\0\xc8" + SECRET + b"!\x80"])
    made, facts = remade(film, Format.MP4)
    assert SECRET not in made
    assert "a note beside pictures (SEI 144)" in facts.removed


def test_a_note_in_a_picture_that_an_edit_list_hides_goes_too() -> None:
    film = bytearray(with_units(samples.mp4(2, audio=""), [NOTE]))
    start = film.index(b"elst") + 12
    rate = struct.unpack_from(">I", film, film.index(b"mdhd") + 16)[0]
    media_time = struct.unpack_from(">i", film, start + 4)[0]
    struct.pack_into(">Ii", film, start, 1000, media_time + rate // 2)
    made, facts = remade(bytes(film), Format.MP4)
    assert SECRET not in made
    assert shown(made) == shown(bytes(film))
    assert facts.duration_ms == 1000


@pytest.mark.parametrize("zeros", [1, 3, 4, 7])
def test_zeros_behind_the_last_unit_are_padding(zeros: int) -> None:
    plain = samples.mp4(audio="")
    film = with_units(plain, [bytes(zeros)], width=0, last=True)
    made, facts = remade(film, Format.MP4)
    assert "padding" in facts.removed
    assert shown(made) == shown(plain)


@pytest.mark.parametrize("units", [[NOTE], [FILLER, NOTE]])
def test_a_packet_without_a_picture_is_refused_with_its_time(units: list[bytes]) -> None:
    plain = samples.mp4(audio="")
    with av.open(io.BytesIO(plain)) as container:
        packet = max(list(container.demux(video=0))[1:], key=lambda packet: packet.size)
        place, size, at = packet.pos, packet.size, float(packet.pts * packet.time_base)
    extra = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    rest = size - len(extra) - 4
    film = plain[:place] + extra + rest.to_bytes(4, "big") + b"\x0c" + bytes(rest - 1) + plain[place + size :]
    assert len(film) == len(plain)
    found = refusal(film, Format.MP4)
    assert found.code is Code.UNDECODABLE
    assert found.detail["problem"] == f"its picture cannot be decoded at 0:{at:04.1f}"


@pytest.mark.parametrize(("codec", "unit"), [("h264", bytes(1)), ("hevc", bytes(1)), ("av1", obu(15, b""))])
def test_more_units_than_any_picture_has_are_not_read(codec: str, unit: bytes) -> None:
    with pytest.raises(ValueError, match="more units than any picture has"):
        sifted(codec, 1, unit * 1_000_000)


@pytest.mark.parametrize("number", [0, 12, 24])
def test_units_that_do_not_fill_their_packet_are_refused(number: int) -> None:
    plain = samples.mp4(audio="")
    with av.open(io.BytesIO(plain)) as container:
        place = [packet for packet in container.demux(video=0) if packet.size][number].pos
    film = plain[:place] + b"\0\xff\xff\xff" + plain[place + 4 :]
    assert refusal(film, Format.MP4).code is Code.UNDECODABLE


# The reader, of films in which somebody has put something after the rebuild, or a rebuild has left something.

PLANTED: dict[str, tuple[Callable[[], bytes], list[bytes], int]] = {
    **{f"h264: {name}": (samples.mp4, [u for u in units if u], 4) for name, units in H264.items() if any(units)},
    **{
        f"h265: {name}": (lambda: samples.mp4(codec="libx265"), [u for u in units if u], 4)
        for name, units in H265.items()
        if any(units)
    },
    **{
        f"av1: {name}": (lambda: samples.mp4(codec="libsvtav1"), list(AV1[name]), 0)
        for name in ("metadata of kind 4 in pictures", "metadata of kind 1 in pictures", "a unit of kind 12")
    },
}


@pytest.mark.parametrize("name", list(PLANTED))
def test_whatever_is_planted_in_packets_is_found(name: str) -> None:
    make, units, width = PLANTED[name]
    clean = remade(make(), Format.MP4)[0]
    for unit in units:
        made, first = bytearray(clean), pictures(clean)[0]
        head = len(unit).to_bytes(width, "big") if width else b""
        # in the place of the first picture's beginning, so that no size changes; what is left of it is filled up
        rest = len(first) - len(head) - len(unit)
        fill = ((rest - 4).to_bytes(4, "big") + b"\x65" + bytes(rest - 5)) if width else b""
        if name.startswith("h265"):
            fill = (rest - 4).to_bytes(4, "big") + b"\x26\1" + bytes(rest - 6)
        if not width:
            fill = b"\x30" + bytes(rest - 1)  # a frame without a size reaches to the end of the packet
        at = made.index(first)
        made[at : at + len(first)] = head + unit + fill
        found = residues(bytes(made), Format.MP4)
        assert [(finding.code, finding.detail["where"]) for finding in found] == [(Code.RESIDUE, "packet")], unit


def test_a_webm_is_read_too() -> None:
    clean = remade(samples.webm(codec="libsvtav1"), Format.WEBM)[0]
    first = pictures(clean)[0]
    unit = obu(5, b"\4" + SECRET + b"\x80")
    assert clean.count(first) == 1
    made = clean.replace(first, unit + b"\x30" + bytes(len(first) - len(unit) - 1))
    assert [finding.detail["where"] for finding in residues(made, Format.WEBM)] == ["packet"]
    block = clean.index(first) - 4
    assert clean[block] == 0x81
    laced = clean[: block + 3] + bytes([clean[block + 3] | 4]) + clean[block + 4 :]
    assert [finding.detail["where"] for finding in residues(laced, Format.WEBM)] == ["frame"]
    strange = clean[:block] + b"\x85" + clean[block + 1 :]
    assert "frame" in [finding.detail["where"] for finding in residues(strange, Format.WEBM)]


# Whatever bytes a packet has

UNIT = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([unit for units in (*H264.values(), *H265.values()) for unit in units] + [RECOVERY, MASTERING]),
    st.builds(
        lambda head, messages: head + b"".join(messages) + b"\x80",
        st.sampled_from([b"\6", b"\x4e\1", b"\x50\1"]),
        st.lists(
            st.builds(
                lambda kind, content: bytes([kind, len(content)]) + content,
                st.sampled_from([0, 1, 4, 5, 6, 137, 144, 147]),
                st.one_of(
                    st.binary(max_size=30),
                    st.lists(st.sampled_from([0, 0, 1, 3]), min_size=4, max_size=24).map(bytes),
                ),
            ),
            max_size=3,
        ),
    ),
)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@given(units=st.lists(UNIT, min_size=1, max_size=6), width=st.sampled_from([1, 2, 4]))
def test_any_packet_is_sifted_once_and_for_all(codec: str, units: list[bytes], width: int) -> None:
    """The reader, which shares no code, agrees; what is kept was there, in this order, or is an SEI cut to messages."""
    units = [unit[: 256**width - 1] for unit in units]
    try:
        left = sifted(codec, width, b"".join(len(unit).to_bytes(width, "big") + unit for unit in units))
    except ValueError:
        return
    kept = units_of(left, width)
    rest = iter(units)
    assert all(unit in rest for unit in kept if not is_note(unit, codec))


@given(units=st.lists(st.sampled_from([PICTURE, *(unit for units in AV1.values() for unit in units)]), max_size=6))
def test_any_packet_of_av1_is_sifted(units: list[bytes]) -> None:
    wanted = b"".join(unit for unit in units if unit == PICTURE)
    packet = b"".join(units)
    if packet and not wanted:
        with pytest.raises(ValueError, match="no picture"):
            sifted("av1", 1, packet)
    else:
        assert sifted("av1", 1, packet) == wanted


def is_note(unit: bytes, codec: str) -> bool:
    return unit[0] & 0x9F == 6 if codec == "h264" else unit[0] >> 1 in (39, 40)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
@given(packet=st.binary(max_size=200))
def test_noise_is_sifted_or_called_damaged(codec: str, packet: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert len(sifted(codec, 1, packet)) <= len(packet)
