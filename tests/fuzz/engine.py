"""A mutation engine for parsers: valid inputs changed a little, many times, and what came of it.

What enters: a target with its seeds, a number that decides every choice, and a time. What leaves: how many inputs were
tried, and each input that did what none may do: raise something else than the target's own errors, contradict itself,
or take longer than `SLOW` seconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import signal
import struct
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

SLOW = 5.0  # seconds for one input; parsers read no more than a few kilobytes here
MOST = 65_536  # bytes of one input
SEEDS = Path(__file__).parent / "seeds"

_EDGES = (0, 1, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_PIECES = (
    b"\0", b"\xff", b"\xff\xd8", b"\xff\xd9", b"\xff\xda", b"\n", b"\r\n\r\n", b" ", b"--> ", b"<", b">", b"{", b"}",
    b'"', b"\\", b"[" * 200, b"9" * 400, b"\xed\xa0\x80", b"\xe2\x80\xae", b"moov", b"trak", b"free", b"uuid", b"IDAT",
    b"IEND", b"ANMF", b"VP8X", b"\x2c", b"\x21\xf9\x04", b"\x3b", b"\x1a\x45\xdf\xa3", b"\xec\x81",
    b"\x01\xff\xff\xff\xff\xff\xff\xff", b"PK\x03\x04", b"MSIP_Label_", b"vid:v0", b"true", b"null", b"1e9", b"=", b"#",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One parser. `parse` raises nothing but `errors`; AssertionError says that it contradicts itself.

    `repair` puts checksums right, which no chance would, so that what lies behind them is read at all.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    parse: Callable[[bytes], object]
    errors: tuple[type[BaseException], ...] = ()
    repair: Callable[[bytes], bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One input that did what none may do."""

    target: str
    content: bytes
    what: str

    @property
    def file_name(self) -> str:
        """By its content, so that the same one is kept once."""
        return hashlib.sha256(self.content).hexdigest()[:16]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of one run."""

    tried: int = 0
    accepted: int = 0
    failures: list[Failure] = field(default_factory=list)


class TooSlow(BaseException):
    """One input takes longer than any may."""


def tried(target: Target, content: bytes, *, alarm: bool = False) -> tuple[bool, Failure | None]:
    """Whether the input was accepted, and what is wrong with that."""
    began = time.monotonic()
    try:
        with _alarm() if alarm else contextlib.nullcontext():
            target.parse(content)
    except TooSlow:
        return False, Failure(target=target.name, content=content, what=f"not done after {SLOW:.0f} seconds")
    except target.errors:
        accepted = False
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        said = "".join(traceback.format_exception(error)[-6:])
        return False, Failure(target=target.name, content=content, what=said)
    else:
        accepted = True
    took = time.monotonic() - began
    if took > SLOW:
        return accepted, Failure(target=target.name, content=content, what=f"took {took:.1f} seconds")
    return accepted, None


def kept_seeds(name: str) -> list[Path]:
    """Inputs that were wrong once, and others worth keeping."""
    folder = SEEDS / name.replace(" ", "-")
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def fuzz(target: Target, *, seconds: float, seed: int, alarm: bool = False, most_failures: int = 5) -> Tally:
    """Tries inputs for so long. What was accepted is now and then a seed for more."""
    chance = random.Random(f"{seed} {target.name}")
    pool = [content[:MOST] for content in target.seeds()] + [path.read_bytes() for path in kept_seeds(target.name)]
    tally, until = Tally(), time.monotonic() + seconds
    for mutant in mutations(pool, chance):
        content = target.repair(mutant) if target.repair and chance.random() < 0.8 else mutant
        accepted, failure = tried(target, content, alarm=alarm)
        tally.tried += 1
        tally.accepted += accepted
        if failure is not None:
            tally.failures.append(failure)
        elif accepted and len(pool) < 400 and chance.random() < 0.05:
            pool.append(content)
        if time.monotonic() >= until or len(tally.failures) >= most_failures:
            break
    return tally


def mutations(pool: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """Without end: one input after another, each a seed with one to eight changes."""
    yield from pool
    yield b""
    while True:
        content = bytearray(chance.choice(pool))
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 8))):
            _change(content, pool, chance)
        yield bytes(content[:MOST])


def _change(content: bytearray, pool: list[bytes], chance: random.Random) -> None:
    at = chance.randrange(len(content) + 1)
    end = min(len(content), at + chance.choice((1, 2, 4, 9, 33, 400)))
    match chance.randrange(9):
        case 0 if at < len(content):
            content[at] ^= 1 << chance.randrange(8)
        case 1 if at < len(content):
            content[at] = chance.randrange(256)
        case 2:
            form = chance.choice((">I", "<I", ">H", "<H", "B", ">Q"))
            width = struct.calcsize(form)
            content[at : at + width] = struct.pack(form, chance.choice(_EDGES) & ((1 << 8 * width) - 1))
        case 3:
            content[at:at] = chance.choice(_PIECES)
        case 4:
            del content[at:end]
        case 5:
            content[at:at] = content[at:end] * chance.choice((1, 1, 2, 30))
        case 6:
            del content[at:]
        case 7:
            other = chance.choice(pool)
            content[at:] = other[chance.randrange(len(other) + 1) :]
        case _:
            other = chance.choice(pool)
            begin = chance.randrange(len(other) + 1)
            content[at:at] = other[begin : begin + chance.choice((4, 16, 64, 512))]


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    """Ends what never ends; in the main thread only."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SLOW)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
