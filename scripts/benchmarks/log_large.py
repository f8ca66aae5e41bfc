"""A large log: written, verified, one entry proven, on the disk and in memory; each beside the least that it takes."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks import log_rotate
from benchmarks.log import event
from benchmarks.place import Stopped, command, environment
from benchmarks.results import FEWER, Budget, Result, Side
from transfer.audit.keys import load_key
from transfer.audit.notes import parse_vkey
from transfer.audit.proving import prove
from transfer.audit.publish import Publisher
from transfer.auditing import audit_folder
from transfer.wiring import LOG_KEY, Site, open_site
from transfer.workspace import Workspace

_AT_ONCE = 2000
_MILLION = 1_000_000
_PROOFS = 300
_COMMANDS = 9
_MB = 1_000_000


def measure(folder: Path, *, entries: int) -> list[Result]:
    """One demo workspace with so many entries, and a copy of its published log from when it had a tenth of them."""
    root, tenth = folder / "workspace", folder / "tenth"
    done = subprocess.run(
        command("init", "--demo", root), env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Stopped(f"The workspace could not be made: {done.stderr.strip()}")
    workspace = Workspace(root)
    site = open_site(workspace)
    wrote = _write(site, entries, tenth)
    site.db.close()
    with sqlite3.connect(workspace.database) as bare:
        bare.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        leaves = [row[0] for row in bare.execute("SELECT leaf FROM audit_entry ORDER BY i")]
    bare.close()
    results = [wrote, _verified(workspace, leaves), *_proven(workspace, len(leaves))]
    results += [*_on_disk(workspace, leaves), _in_memory(workspace, tenth, len(leaves))]
    return [*results, log_rotate.measure(workspace, folder, entries=len(leaves))]


def _write(site: Site, entries: int, tenth: Path) -> Result:
    """Many in one transaction, as when a log is taken over: what an entry costs without its own fsync."""
    took = 0.0
    for start in range(0, entries, _AT_ONCE):
        began = time.perf_counter()
        with site.db.write() as tx:
            for number in range(start, min(start + _AT_ONCE, entries)):
                site.log.append(tx, event(number))
        took += time.perf_counter() - began
        if not tenth.exists() and start + _AT_ONCE >= entries // 10:
            _publish(site)
            shutil.copytree(site.workspace.log, tenth)
    began = time.perf_counter()
    _publish(site)
    published = time.perf_counter() - began
    return Result(
        name="log-write",
        what=f"{entries:,} entries written, {_AT_ONCE:,} in each transaction; then signed and published",
        ours=Side(what="written", value=took, unit="s"),
        beside=Side(what="signed and published", value=published, unit="s"),
        details={"entries": entries},
    )


def _publish(site: Site) -> None:
    signer = load_key(site.workspace.keys / LOG_KEY)
    publisher = Publisher(db=site.db, log_dir=site.workspace.log, signer=signer, origin=signer.name, clock=site.clock)
    publisher.sign()
    publisher.publish()


def _verified(workspace: Workspace, leaves: list[bytes]) -> Result:
    """A published folder as `transfer audit verify` does it, between two halves of the bare side."""
    before = _hashed(leaves)
    verifier = parse_vkey((workspace.log / "log.vkey").read_text().strip())
    started = time.perf_counter()
    report = audit_folder(workspace.log, [verifier]).folder
    took = time.perf_counter() - started
    after = _hashed(leaves)
    if report.entries_checked != len(leaves):
        raise RuntimeError(f"{report.entries_checked} of {len(leaves)} entries were verified")
    return Result(
        name="log-verify",
        what=f"a log of {len(leaves):,} entries verified: leaves, tree, tiles, signature, chains, approvals",
        ours=Side(what=f"{report.tiles_checked:,} tiles and bundles", value=took, unit="s"),
        beside=Side(what="bare SHA-256 over the same leaves", value=(before + after) / 2, unit="s"),
        budget=Budget(kind=FEWER, value=max(1.0, 10 * len(leaves) / _MILLION), of="ours"),
        details={"entries": len(leaves), "leaf_bytes": sum(map(len, leaves)), "beside": [before, after]},
    )


def _proven(workspace: Workspace, size: int) -> list[Result]:
    chance = random.Random(size)
    indexes = [chance.randrange(size) for _ in range(_PROOFS)]
    site = open_site(workspace)
    ours: list[float] = []
    bare: list[float] = []
    with sqlite3.connect(workspace.database) as connection, site.db.read() as tx:
        for index in indexes:
            ours.append(_timed(lambda index=index: prove(tx, index)))
            row = (index,)
            bare.append(
                _timed(lambda row=row: connection.execute("SELECT leaf FROM audit_entry WHERE i = ?", row).fetchone())
            )
    connection.close()
    site.db.close()
    commands: list[float] = []
    empty: list[float] = []
    for index in indexes[:_COMMANDS]:
        empty.append(_timed(lambda: _run("--help")))
        commands.append(_timed(lambda index=index: _run("audit", "prove", "--entry", str(index), "-w", workspace.root)))
    return [
        Result(
            name="log-prove",
            what=f"the proof of one of {size:,} entries, from the database",
            ours=Side(
                what=f"median of {_PROOFS}, the slowest {1000 * max(ours):.2g} ms", value=1000 * median(ours), unit="ms"
            ),
            beside=Side(what="bare SQLite reading its leaf", value=1000 * median(bare), unit="ms"),
            budget=Budget(kind=FEWER, value=50, of="ours"),
            details={"slowest_ms": 1000 * max(ours)},
        ),
        Result(
            name="log-prove-command",
            what="the same as a command, `transfer audit prove`",
            ours=Side(what=f"median of {_COMMANDS}", value=1000 * median(commands), unit="ms"),
            beside=Side(what="`transfer --help`", value=1000 * median(empty), unit="ms"),
            details={"ours": commands, "beside": empty},
        ),
    ]


def _on_disk(workspace: Workspace, leaves: list[bytes]) -> list[Result]:
    count, bare = len(leaves), sum(map(len, leaves)) / len(leaves)
    database = sum(path.stat().st_size for path in workspace.db.iterdir() if path.is_file())
    files = [path for path in workspace.log.rglob("*") if path.is_file()]
    folder = sum(path.stat().st_size for path in files)
    beside = Side(what="its leaf alone, on average", value=bare, unit="bytes")
    found = [("log-disk-database", "in the database: leaf, hashes, index, openings", database)]
    found.append(("log-disk-published", f"in the published folder, {len(files):,} files", folder))
    return [
        Result(
            name=name,
            what=f"what one of {count:,} entries takes on the disk {where}",
            ours=Side(what=f"{size / _MB:,.0f} MB together", value=size / count, unit="bytes"),
            beside=beside,
            details={"bytes": size},
        )
        for name, where, size in found
    ]


def _in_memory(workspace: Workspace, tenth: Path, size: int) -> Result:
    """The largest resident set of the command itself."""
    key = workspace.log / "log.vkey"
    whole, part = (_run("audit", "verify", log, "--vkey", key) for log in (workspace.log, tenth))
    return Result(
        name="log-memory",
        what=f"`transfer audit verify` over {size:,} entries: its largest memory",
        ours=Side(what="largest resident set", value=whole / _MB, unit="MB"),
        beside=Side(what="the same over a tenth of the log", value=part / _MB, unit="MB"),
        budget=Budget(kind=FEWER, value=300, of="ours"),
        details={"bytes": whole, "beside_bytes": part},
    )


# Between us and the command, because the kernel counts the memory of whoever starts a process as that process's own.
_LITTLE = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def _run(*arguments: str | Path) -> int:
    """A command that has to succeed; its largest resident set in bytes, as the kernel tells after its end."""
    little = [sys.executable, "-I", "-S", "-c", _LITTLE, *command(*arguments)]
    done = subprocess.run(little, env=environment(), capture_output=True, text=True, check=True)
    code, kilobytes = map(int, done.stdout.split())
    if code:
        raise Stopped(f"`transfer {' '.join(map(str, arguments))}` ended with {code}: {done.stderr.strip()}")
    return kilobytes * 1024


def _timed(once: Callable[[], object]) -> float:
    started = time.perf_counter()
    once()
    return time.perf_counter() - started


def _hashed(leaves: list[bytes]) -> float:
    started = time.perf_counter()
    for leaf in leaves:
        hashlib.sha256(b"\0" + leaf).digest()
    return time.perf_counter() - started
