"""Both ends in OneDrive, real processes on both sides of the wire, while requests fail and processes die.

Nothing is lost, doubled or unlogged, and nothing is ever read on the device's side. TRANSFER_DRIVE_FILES says how many
files go through while one request in twenty fails (all of it was run with 500), TRANSFER_DRIVE_KILLS how many deaths
there are in the other test (run with 50), TRANSFER_DRIVE_FILM how many bytes the film has (run with 2 GiB),
TRANSFER_SEED makes the same choices again (the instants depend on the machine).
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import samples
from tests.graph.emulator.identities import person
from tests.system.drives import FOLDER, SAM, Tenant
from tests.system.mixture import Dropped, mixture
from tests.system.place import Place, Running, end_family, family, running, start, stop, wait_for
from tests.system.release_drive import ASIDE, MANIFEST, RELEASE, WRITER, Shore, shore, staged

pytestmark = pytest.mark.slow

FILES = int(os.environ.get("TRANSFER_DRIVE_FILES", "60"))
KILLS = int(os.environ.get("TRANSFER_DRIVE_KILLS", "12"))
SEED = int(os.environ.get("TRANSFER_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
SHARE = 0.05
FILM = int(os.environ.get("TRANSFER_DRIVE_FILM", str(400 * 2**20)))
MOST_MEMORY = 300 * 2**20  # of any process
BUSY_FILES = 60  # of the test with deaths
_SECONDS_A_FILE = 6.0


@dataclass
class Line:
    """A workspace between two drives, and what was dropped into it."""

    place: Place
    staging: Tenant
    shore: Shore
    dropped: list[Dropped] = field(default_factory=list)

    def drop(self, *files: Dropped) -> None:
        for one in files:
            self.staging.drop(one.name, one.content, post=one.post)
            self.dropped.append(one)

    @property
    def good(self) -> int:
        return sum(one.good for one in self.dropped)

    def is_done(self) -> bool:
        """Signs what waits for it; whether every good file is released and every file was taken in."""
        self.place.approve_all()
        counts = self.place.counts()
        return sum(counts.values()) == len(self.dropped) and counts.get("released", 0) == self.good

    def is_listed(self) -> bool:
        return self.shore.listed() == self.place.counts().get("released", 0)

    def check(self) -> None:
        """Every file has one end, in register, log, drive and manifest; on the device's side nothing was read."""
        rows = self.place.rows()
        assert len(rows) == len({row.item for row in rows}) == len(self.dropped), SEED
        assert Counter(row.state.value for row in rows) == {
            state: count
            for state, count in (("released", self.good), ("refused", len(self.dropped) - self.good))
            if count
        }
        ends: Counter[tuple[str, str]] = Counter()
        for event in ("file.spooled", "file.released", "file.refused"):
            ends.update((event, entry["item"]) for entry in self.place.entries(event))
        assert set(ends.values()) == {1}, SEED
        released = {item for event, item in ends if event == "file.released"}
        assert released == {row.item for row in rows if row.state.value == "released"}
        self.shore.check()
        self.place.verify()


@pytest.fixture
def line(place: Place, tmp_path: Path) -> Iterator[Line]:
    with shore(place, tmp_path / "tenant") as made:
        staging = staged(made)
        staging.configure()
        made.configure(tenant=False, poll=1.0, audit=10.0)
        yield Line(place, staging, made)


def test_nothing_is_lost_doubled_or_unlogged_while_one_request_in_twenty_fails(line: Line) -> None:
    files = list(mixture(FILES))
    line.staging.world.switch(delta_duplicates=0.2, delta_shuffle=True, page_size=50)
    line.staging.world.random_faults(SHARE, seed=SEED)
    with running(line.place):
        for first in range(0, len(files), 20):
            line.drop(*files[first : first + 20])
            line.place.approve_all()
        wait_for(line.is_done, 60 + _SECONDS_A_FILE * len(files), f"all releases (seed {SEED})")
        wait_for(line.is_listed, 60, f"the manifest (seed {SEED})")
    met = line.staging.world.faults_met()
    print("seed", SEED, "faults", met)
    assert sum(met.values()) >= len(files) // 4, "the faults were there"
    line.staging.world.no_faults()
    line.check()
    assert line.shore.drive.names(ASIDE) == [], "nothing of ours was taken for foreign"
    for event in ("return.refused", "release.altered", "release.removed", "release.mismatch"):
        assert line.place.entries(event) == [], (event, SEED)


class Deaths:
    """Processes of a busy gateway die, one after the other."""

    def __init__(self, line: Line, chance: random.Random) -> None:
        self.line, self.chance = line, chance
        self.running: Running = start(line.place, "--quiet", ready=False)
        self.met: Counter[str] = Counter()

    def one(self) -> None:
        """Of the guard or the gateway mostly, of a child, of the supervisor, or of all."""
        assert self.running.process.poll() is None, self.running.complained()
        time.sleep(self.chance.uniform(0.2, 3.0))
        victim = self.chance.choices(("gateway", "guard", "child", "supervisor", "all"), weights=(35, 35, 10, 8, 12))[0]
        wait_for(lambda: victim == "all" or self._living(victim), 60, f"a {victim} to die (seed {SEED})")
        self.met[victim] += 1
        if victim == "all":
            end_family(self.running.process.pid)
        else:
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(self.chance.choice(self._living(victim)), signal.SIGKILL)
        if victim in {"all", "supervisor"}:
            end_family(self.running.process.pid)
            self.running.process.wait()
            self.running.ended = True
            self.running = start(self.line.place, "--quiet", ready=False)

    def _living(self, role: str) -> list[int]:
        return [each.pid for each in family(self.running.process.pid) if role in each.role]


def test_whoever_dies_nothing_is_lost_doubled_or_unlogged(line: Line) -> None:
    chance = random.Random(SEED)
    files = list(mixture(BUSY_FILES))
    chance.shuffle(files)
    planted = 0
    line.staging.world.random_faults(0.01, seed=SEED)
    deaths = Deaths(line, chance)
    try:
        for number in range(KILLS):
            while files and len(line.dropped) < BUSY_FILES * (number + 1) / KILLS:
                line.drop(files.pop())
            line.place.approve_all()
            if number % 4 == 1:
                line.shore.device.put(f"{RELEASE}/planted-{number}.txt", b"planted %d" % number)
                planted += 1
            deaths.one()
        line.drop(*files)
        wait_for(line.is_done, 60 + _SECONDS_A_FILE * BUSY_FILES, f"all releases (seed {SEED})")
        wait_for(line.is_listed, 60, f"the manifest (seed {SEED})")
        wait_for(lambda: len(line.shore.drive.names(ASIDE)) >= planted, 60, f"what was planted (seed {SEED})")
        wait_for(lambda: len(line.place.entries("return.refused")) >= planted, 60, f"its entries (seed {SEED})")
    finally:
        stop(deaths.running, expect=None)
    print("seed", SEED, "deaths", deaths.met, "faults", line.staging.world.faults_met())
    line.staging.world.no_faults()
    line.check()
    assert len(line.place.entries("return.refused")) == planted == len(line.shore.drive.names(ASIDE))
    for event in ("release.altered", "release.removed", "release.mismatch"):
        assert line.place.entries(event) == [], (event, SEED)


def test_what_happens_to_the_folder_meanwhile_is_put_right_and_told(line: Line) -> None:
    """Somebody plants, alters and renames while files flow; each is answered, and nothing else is taken for foreign."""
    line.drop(*[one for one in mixture(40) if one.good][:8])
    drive, colleague = line.shore.drive, line.shore.drive.by(person("Pat"))
    with running(line.place):
        wait_for(line.is_done, 120, "the releases")
        wait_for(line.is_listed, 30, "the manifest")
        names = sorted(line.shore.there())
        line.shore.device.folder(f"{RELEASE}/mine")
        line.shore.device.put(f"{RELEASE}/mine/deep.mp4", b"deep")
        line.shore.device.shortcut(f"{RELEASE}/elsewhere")
        colleague.replace(drive.item(f"{RELEASE}/{names[0]}"), samples.jpeg(64, 48))
        colleague.replace(drive.item(f"{RELEASE}/{MANIFEST}"), b"nothing is released")
        wait_for(lambda: len(line.place.entries("return.refused")) == 2, 60, "the planted ones")
        wait_for(lambda: len(line.place.entries("release.restored")) == 1, 60, "the genuine file")
        wait_for(lambda: line.is_listed() and line.shore.there().keys() == set(names), 60, "the folder as it was")
        colleague.rename(drive.item(f"{RELEASE}/{names[1]}"), "renamed.bin")
        wait_for(lambda: len(line.place.entries("release.removed")) == 1, 60, "the one that was renamed")
        wait_for(lambda: line.shore.listed() == len(names) - 1, 60, "the manifest")
    assert len(drive.names(ASIDE)) == 5
    assert {entry["facts"].get("kind") for entry in line.place.entries("return.refused")} >= {"folder", "shortcut"}
    assert line.shore.downloads() == 0
    line.place.verify()


def test_a_large_film_goes_through_both_ends_in_little_memory(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from benchmarks.material import make_film

    path = tmp_path / "film.mp4"
    make_film(path, FILM)
    line.staging.drive.by(SAM).put(f"{FOLDER}/open-day/film.mp4", path)
    line.dropped.append(Dropped("film.mp4", b"", good=True))
    path.unlink()
    most: Counter[str] = Counter()
    with running(line.place) as gateway:

        def is_done() -> bool:
            for process in family(gateway.process.pid):
                most[process.role] = max(most[process.role], _resident(process.pid))
            return line.is_done()

        wait_for(is_done, 120 + FILM / 2**20, "the release")
        wait_for(line.is_listed, 30, "the manifest")
    (item,) = [name for name in line.shore.drive.names(RELEASE) if name != MANIFEST]
    assert line.shore.drive.item(f"{RELEASE}/{item}").size >= FILM
    print({role: f"{size / 1e6:.0f} MB" for role, size in most.items()})
    assert {role: size for role, size in most.items() if size >= MOST_MEMORY} == {}
    assert {"gateway", "guard"} <= most.keys()
    assert line.shore.downloads() == 0
    line.place.verify()


def _resident(pid: int) -> int:
    """Bytes of memory that a process has of its own and its share of what it has with others; 0 if it is gone."""
    with contextlib.suppress(OSError):
        for row in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if row.startswith("Pss:"):
                return int(row.split()[1]) * 1024
    return 0


def test_ten_thousand_old_items_do_not_delay_the_first_decision(line: Line) -> None:
    old = line.staging.drive.by(SAM)
    writer = line.shore.drive.by(WRITER)
    with line.staging.world.together():
        for number in range(10_000):
            old.put(f"{FOLDER}/open-day/old-{number % 100}/{number}.txt", b"An old caption.")
    with line.staging.world.together():
        for number in range(1000):
            writer.put(f"{ASIDE}/old-{number}.txt", b"An old thing.")
    began = time.monotonic()
    with running(line.place):
        wait_for(lambda: line.place.counts().keys() & {"held", "refused"}, 60, "the first decision")
        took = time.monotonic() - began
    print(f"first decision {took:.1f} s after the start of the process")
    assert took < 20, "10 s on a machine with nothing else to do"
