"""What each station costs a file of each kind, in processor time, measured inside the stations as they are.

One file after another goes through the real door and line, in this process, with one confined child of each kind. Each
station is timed where it begins and ends; the time of what it calls counts for that alone. Nothing else runs here: no
watcher, no notes, no loops that ask every second, no guard. Those are in the whole that `pictures` measures.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from PIL import Image

from benchmarks import station_child
from benchmarks.material import make_film, make_picture
from benchmarks.pictures import bare_cpu_ms, policy_quality
from benchmarks.place import CAMPAIGN, TOP, Stopped, command, environment
from benchmarks.released import release
from benchmarks.results import Result, Side
from benchmarks.stopwatch import Stopwatch, between
from transfer import arrivals, pipeline
from transfer.arrivals import Taking
from transfer.assembly import standing_of
from transfer.audit.log import Log
from transfer.inspection.clamd import ClamdScanner
from transfer.inspection.clamd_talk import Address
from transfer.inspection.scan import NoScanner, Scanner, Scanners
from transfer.inspection.yara_scan import HEADROOM, YaraScanner
from transfer.intake.folder import FolderSource
from transfer.judging import Judge
from transfer.model.states import State
from transfer.pipeline import Line
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.lease import LeasedChild
from transfer.sandbox.pool import Pool
from transfer.sandbox.requests import Role
from transfer.store import database
from transfer.store.blobs import Draft
from transfer.store.register import Register
from transfer.wiring import Site, open_site
from transfer.workspace import Workspace

ADMIT, EXAMINE, CLAMD, COMPARE, REMAKE = "admit", "examine (gateway)", "clamd", "likeness search", "rebuild (gateway)"
KEEP, DECIDE, STATE, LOG, COMMIT, TALK, REST = (
    "hash and keep",
    "decide",
    "register",
    "log entries",
    "commit",
    "messages (gateway)",
    "between",
)
LAPS = (ADMIT, EXAMINE, CLAMD, COMPARE, REMAKE, KEEP, DECIDE, STATE, LOG, COMMIT, TALK, REST)
CLAMD_ITSELF = "clamd itself"
KINDS = {"jpeg": ".jpg", "png": ".png", "mp4": ".mp4", "caption": ".txt"}
_YARA_BYTES = 256 << 20
_CAPTION = "Come and see us on the fourth of May, from ten o'clock on, in front of the library. #openday\n" * 6


@dataclass(frozen=True, kw_only=True)
class Works:
    """The door and the line of one workspace, the stopwatches of this process and its children, clamd's number."""

    site: Site
    taking: Taking
    source: FolderSource
    line: Line
    here: Stopwatch
    children: Stopwatch
    clamd: int | None

    def sums(self) -> dict[str, float]:
        """Seconds by station, so far."""
        extra = {} if self.clamd is None else {CLAMD_ITSELF: _used(self.clamd)}
        return {**self.here.sums(), **self.children.sums(), **extra}

    def carry(self, path: Path) -> dict[str, float]:
        """Milliseconds of one staged file by station, from the door to the verdict. Raises Stopped."""
        before = self.sums()
        self.here.begin()
        arrival = self.source.observe(os.fsencode(path.relative_to(self.site.workspace.root / "staging")))
        item = None if arrival is None else self.taking.take(arrival, self.source)
        state = None if item is None else self.line.carry(item)
        self.here.pause()
        if state is not State.HELD:
            raise Stopped(f"{path.name} became {state} instead of waiting for its approval.")
        return between(before, self.sums())


def measure(folder: Path, *, files: int, released: list[int], clamd: Path) -> list[Result]:
    """One result for each kind of file; those of the JPEGs also with so many released fingerprints."""
    root = folder / "stations"
    done = subprocess.run(command("init", "--demo", root), env=environment(), capture_output=True, check=False)
    if done.returncode:
        raise Stopped(f"The workspace could not be made: {done.stderr.decode().strip()}")
    staging = root / "staging" / CAMPAIGN
    with _works(Workspace(root), folder, clamd if clamd.is_socket() else None) as works:
        results = [_of_kind(works, kind, _staged(folder, staging, kind, files)) for kind in KINDS]
        for number in released:
            release(works.site.workspace.root, number)
            paths = [_picture(staging / f"beside-{number}-{count}.jpg") for count in range(files)]
            carried = [works.carry(path)[COMPARE] for path in paths]
            results[0].details["likeness_search_ms"][str(number)] = median(carried)
    return results


def _of_kind(works: Works, kind: str, paths: list[Path]) -> Result:
    works.carry(paths[0])  # every child has worked once, every folder is there
    bare = _bare_ms(kind, paths)
    files = [works.carry(path) for path in paths[1:]]
    stations = {lap: median(file[lap] for file in files) for lap in files[0]}
    whole = sum(stations.values())
    return Result(
        name=f"stations-{kind}",
        what=f"one {kind} of {paths[0].stat().st_size / 1e6:,.3f} MB from the door to its verdict, station by station",
        ours=Side(what=f"processor time, the sum of medians of {len(files)}", value=whole, unit="ms"),
        beside=Side(what=_BESIDE[kind], value=bare, unit="ms"),
        details={
            "stations": {
                lap: {"ms": round(spent, 4), "share": round(spent / whole, 4)} for lap, spent in stations.items()
            },
            "likeness_search_ms": {"0": stations[COMPARE]},
            "clamd": works.clamd is not None,
            "files": len(files),
        },
    )


_BESIDE = {
    "jpeg": "decoded and encoded by Pillow",
    "png": "decoded and encoded by Pillow",
    "mp4": "read and hashed",
    "caption": "read and hashed",
}


def _bare_ms(kind: str, paths: list[Path]) -> float:
    if kind == "jpeg":
        return bare_cpu_ms(paths, policy_quality())
    started = time.process_time()
    for path in paths:
        if kind == "png":
            with Image.open(path) as picture:
                picture.load()
                picture.save(path.parents[2] / "again.png", "PNG")
        else:
            hashlib.sha256(path.read_bytes()).hexdigest()
    return 1000 * (time.process_time() - started) / len(paths)


@contextmanager
def _works(workspace: Workspace, folder: Path, clamd: Path | None) -> Iterator[Works]:
    """The parts as the wiring puts them together, with one child of each kind."""
    site = open_site(workspace)
    site.blobs.prepare()
    sums = folder / "sums"
    children = Stopwatch(sums, station_child.LAPS, rest=station_child.RESTS["media"])
    here = _timed(folder / "here")
    pool = partial(Pool, workers=1, command=station_child.command(sums), prefer=True)
    first: Scanner = NoScanner()
    if clamd is not None:
        first = ClamdScanner(address=Address(path=clamd), clock=site.clock, size_limit=_YARA_BYTES)
    rules = YaraScanner(
        folder=TOP / "policies" / "yara",
        make_pool=lambda material: pool(
            role=Role.RULES, limits=ChildLimits(memory_bytes=_YARA_BYTES + HEADROOM), material=material
        ),
        timeout=60.0,
        size_limit=_YARA_BYTES,
    )
    with (
        pool(role=Role.MEDIA, limits=ChildLimits()) as media,
        pool(role=Role.RESIDUE, limits=ChildLimits()) as residue,
        Scanners(first, rules.start()) as scanners,
    ):
        line = Line(
            db=site.db,
            register=site.register,
            recorder=site.log,
            blobs=site.blobs,
            media=media,
            residue=residue,
            scanner=scanners,
            policy=site.policy,
            standing=standing_of(site),
        )
        source = site.settings.sources[0]
        try:
            yield Works(
                site=site,
                taking=_taking(site),
                source=FolderSource(source=source.source_id, submitter=source.submitter_id, root=source.folder),
                line=line,
                here=here,
                children=children,
                clamd=None if clamd is None else _peer(clamd),
            )
        finally:
            here.put_back()
            site.db.close()


def _taking(site: Site) -> Taking:
    return Taking(
        db=site.db,
        register=site.register,
        blobs=site.blobs,
        policy=site.policy,
        clock=site.clock,
        entropy=secrets.token_bytes,
        reserve=0,
    )


def _timed(sums: Path) -> Stopwatch:
    """The stations of the gateway's own process, each timed from now on."""
    watch = Stopwatch(sums, LAPS, rest=REST)
    for owner, name, lap in (
        (arrivals, "admit", ADMIT),
        (pipeline, "examine", EXAMINE),
        (pipeline, "rebuild", REMAKE),
        (ClamdScanner, "scan", CLAMD),
        (Judge, "compared", COMPARE),
        (Judge, "verdict", DECIDE),
        (Draft, "keep", KEEP),
        (Register, "enter", STATE),
        (Register, "advance", STATE),
        (Register, "load_with_state", STATE),
        (Log, "append", LOG),
        (database, "_commit", COMMIT),
        (LeasedChild, "_ask", TALK),
    ):
        watch.time(owner, name, lap)
    return watch


def _staged(folder: Path, staging: Path, kind: str, files: int) -> list[Path]:
    """One more than asked for: the first is for warming up."""
    make: Mapping[str, Callable[[Path], Path]] = {"jpeg": _picture, "png": _png, "caption": _caption}
    paths = [staging / f"{kind}-{number}{KINDS[kind]}" for number in range(files + 1)]
    if kind == "mp4":
        film = folder / "film.mp4"
        make_film(film, 1 << 20)
        for path in paths:
            shutil.copyfile(film, path)
        return paths
    return [make[kind](path) for path in paths]


def _picture(path: Path) -> Path:
    make_picture(path, seed=f"stations {path.name}")
    return path


def _png(path: Path) -> Path:
    jpeg = path.parents[2] / "as.jpg"
    make_picture(jpeg, seed=f"stations {path.name}", grain=0.0)
    with Image.open(jpeg) as picture:
        picture.save(path, "PNG", compress_level=1)
    return path


def _caption(path: Path) -> Path:
    path.write_text(f"{path.stem}\n{_CAPTION}")
    return path


def _peer(path: Path) -> int | None:
    """The process that listens there, if its use of processor time can be seen."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(path))
        (pid, _, _) = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid) if Path(f"/proc/{pid}/task").is_dir() else None


def _used(pid: int) -> float:
    """Seconds of processor time of a process, all its threads together."""
    return sum(int((task / "schedstat").read_text().split()[0]) / 1e9 for task in Path(f"/proc/{pid}/task").iterdir())
