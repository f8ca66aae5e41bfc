"""Whatever bytes come, the probe answers in its own words: facts or a finding, short printable ASCII."""

from __future__ import annotations

import random

import pytest

from tests import samples
from tests.inspection.probing import probed

CORPUS = {
    ".jpg": samples.jpeg(96, 64, xmp=True, icc=True, comment="c"),
    ".png": samples.png(48, 32, exif=True, icc=True),
    ".webp": samples.webp(96, 64, frames=2, xmp=True),
    ".gif": samples.gif(48, 32, frames=3),
    ".heic": samples.heic(96, 64),
    ".avif": samples.avif(96, 64),
    ".mp4": samples.mp4(0.2, width=64, height=48, data=True),
    ".mov": samples.mov(0.2, width=64, height=48),
    ".webm": samples.webm(0.2, width=64, height=48),
    ".vtt": samples.vtt(),
}
ROUNDS = 60


@pytest.mark.parametrize("suffix", CORPUS)
def test_changed_cut_and_spliced_files(suffix: str) -> None:
    chance = random.Random(f"seed {suffix}")
    whole = CORPUS[suffix]
    understood = 0
    for _ in range(ROUNDS):
        changed = bytearray(whole)
        for _ in range(chance.choice([1, 2, 8, 32])):
            changed[chance.randrange(len(changed))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
        match chance.randrange(4):
            case 0:
                del changed[chance.randrange(len(changed)) :]
            case 1:
                at = chance.randrange(len(changed))
                changed[at:at] = changed[chance.randrange(len(changed)) :][:200]
            case _:
                pass
        facts, findings = probed(bytes(changed), suffix)
        assert facts is not None or findings
        understood += facts is not None
        for finding in findings:
            for value in finding.detail.values():
                assert isinstance(value, int) or (len(value) <= 80 and value.isascii() and value.isprintable())
    assert understood < ROUNDS  # some changes must have mattered


def test_hostile_words_in_errors_are_made_printable() -> None:
    facts, findings = probed(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\r\x1b[2J" + b"x" * 60, ".png")
    assert facts is None
    assert all(str(value).isascii() and str(value).isprintable() for f in findings for value in f.detail.values())
