"""Films of cameras, whose sound is plain numbers: pictures are copied, the sound becomes AAC and stays in time."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from tests import samples
from tests.disarm.film_units import SEI, made_of, passed, pictures
from tests.disarm.test_video import remuxed, rotation, times, trimmed
from tests.disarm.tools import remade
from tests.inspection.probing import refused, understood
from transfer.model.findings import Code
from transfer.model.media import PLAIN_SOUND, Format
from transfer.model.recipe import Decode

RATE = 48_000
HELD = {"s8": "s16", "u8": "u8", "s16": "s16", "s24": "s32", "s32": "s32", "f32": "flt"}


def camera(
    codec: str = "pcm_s16be", *, form: str = "mov", layout: str = "stereo", rate: int = RATE, seconds: float = 2
) -> bytes:
    """A film whose sound is silent but for a second of a tone in its middle: what moves is seen."""
    out = io.BytesIO()
    with av.open(io.BytesIO(samples.mp4(seconds, audio=""))) as film, av.open(out, "w", format=form) as sink:
        shown = sink.add_stream_from_template(film.streams.video[0], opaque=True)
        heard = sink.add_stream(codec, rate=rate, layout=layout)
        held = HELD[codec.removeprefix("pcm_").removesuffix("le").removesuffix("be")]
        change = av.AudioResampler(format=held, layout=layout, rate=rate)
        wave = np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
        wave[: rate // 2] = wave[rate * 3 // 2 :] = 0
        channels = len(av.AudioLayout(layout).channels)
        for at in range(0, len(wave), 1024):
            part = np.tile((0.5 * wave[at : at + 1024]).astype(np.float32), (channels, 1))
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
            for ready in change.resample(frame):
                sink.mux(heard.encode(ready))
        sink.mux(heard.encode())
        for packet in film.demux():
            if packet.dts is not None:
                packet.stream = shown
                sink.mux_one(packet)
    return out.getvalue()


def loudness(film: bytes) -> np.ndarray:
    """How loud each hundredth of a second is, from the film's own beginning."""
    found = np.zeros(1000)
    with av.open(io.BytesIO(film)) as container:
        change = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        for frame in container.decode(audio=0):
            start = round(frame.pts * frame.time_base * RATE)
            for ready in change.resample(frame):
                wave = ready.to_ndarray()[0]
                for step, value in enumerate(np.abs(wave)):
                    found[(start + step) // 480] += value / 480
    return found


@pytest.mark.parametrize("codec", sorted(PLAIN_SOUND))
def test_the_pictures_are_copied_and_the_sound_is_the_same(codec: str) -> None:
    original = camera(codec)
    made, facts = remade(original, Format.MOV)
    assert made_of(made) == passed(original, SEI["h264"])
    assert times(made, "video") == pytest.approx(times(original, "video"), abs=0.0011)
    before, after = loudness(original), loudness(made)
    assert before[50:150].min() > 0.2 > 0.02 > before[:48].max()
    assert np.abs(before - after).max() < 0.12  # where the tone begins and ends, an encoder smears it
    assert np.abs(before - after)[55:145].max() < 0.02
    assert f"the plain form of its sound ({codec}, now AAC)" in facts.removed
    assert facts.duration_ms == 2000
    assert facts.packets_in == facts.packets_out
    assert b"Lavc" not in made


@pytest.mark.parametrize("rate", [32_000, 44_100, 96_000])
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_any_rate_and_number_of_channels(rate: int, layout: str) -> None:
    original = camera(layout=layout, rate=rate)
    made, _ = remade(original, Format.MOV)
    assert np.abs(loudness(original) - loudness(made))[55:145].max() < 0.06


def test_a_delayed_sound_stays_delayed() -> None:
    original = remuxed(camera(), "mov", delay=0.25)
    made, _ = remade(original, Format.MOV)
    before, after = loudness(original), loudness(made)
    assert int(np.argmax(before > 0.1)) == 75
    assert abs(int(np.argmax(after > 0.1)) - 75) <= 1


@pytest.mark.parametrize(("begin", "length"), [(0.0, 1.0), (0.4, 1.2)])
def test_what_an_edit_list_hides_of_the_pictures_stays_hidden(begin: float, length: float) -> None:
    original = trimmed(camera(), begin, length)
    made, _ = remade(original, Format.MOV)
    with av.open(io.BytesIO(original)) as one, av.open(io.BytesIO(made)) as other:
        shown = [[float(f.pts * f.time_base) for f in film.decode(video=0)] for film in (one, other)]
    assert shown[1] == pytest.approx(shown[0], abs=0.0011)


@pytest.mark.parametrize(("begin", "length"), [(12_000, 1_500), (12_345, 1_000), (0, 1_000)])
def test_what_an_edit_list_hides_of_the_sound_is_not_heard(begin: int, length: int) -> None:
    """`begin` is counted in the sound's own clock, `length` in thousandths of a second."""
    film = bytearray(camera())
    second = film.index(b"elst", film.index(b"elst") + 4)
    struct.pack_into(">Ii", film, second + 12, length, begin)
    before = loudness(bytes(film))
    after = loudness(remade(bytes(film), Format.MOV)[0])
    heard = [np.nonzero(found > 0.1)[0] for found in (before, after)]
    assert abs(heard[0].min() - heard[1].min()) <= 1
    assert abs(heard[0].max() - heard[1].max()) <= 1
    assert heard[0].min() < 50 or heard[0].max() < 149, "nothing was cut away"


def test_its_header_stands_in_front_and_is_no_larger_than_it_must() -> None:
    """Of plain sound a film has 48,000 samples a second; what is made of it has 47."""
    made, _ = remade(camera(seconds=20), Format.MOV)
    assert made.index(b"moov") < made.index(b"mdat") < 200_000


def test_a_turned_fragmented_film_and_one_that_is_all_decoded() -> None:
    turned = remuxed(camera(), "mov", degrees=90)
    assert rotation(remade(turned, Format.MOV)[0]) == rotation(turned) != 0
    fragments = remuxed(camera(), "mov", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
    assert b"moof" in fragments
    made, _ = remade(fragments, Format.MOV, decode=Decode.ALL)
    assert len(pictures(made)) == 50


@pytest.mark.parametrize("form", ["mov", "mp4"])
def test_inspection_lets_it_through(form: str) -> None:
    facts, _ = understood(camera(form=form), f".{form}")
    assert [stream.codec for stream in facts.streams if stream.kind == "audio"] == ["pcm_s16be"]


def test_other_sound_that_is_not_known_is_still_refused() -> None:
    assert refused(samples.mp4(0.2, audio="ac3"), ".mp4") is Code.CODEC_NOT_ALLOWED
    assert refused(samples.mp4(0.2, audio="alac"), ".mp4") is Code.CODEC_NOT_ALLOWED
