"""A workspace with its real processes, as a tester holds it: commands, the running gateway, what became of files.

Everything is done as people do it, by `python -m transfer` and by moving files; only looking (and, where a test needs
to be quick, signing) is done in this process, over the same database.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transfer.approvals.approve import accept
from transfer.approvals.decisions import withdraw
from transfer.approvals.drafts import draft_approval, draft_withdrawal
from transfer.approvals.people import find
from transfer.approvals.signing import sign_statement
from transfer.approvals.statement import MAX_ITEMS, Risk
from transfer.approvals.statement_keys import load_signing_key
from transfer.approvals.trail import check_trail
from transfer.audit.entries import decode_leaf
from transfer.audit.notes import parse_vkey
from transfer.audit.reader_database import DatabaseReader
from transfer.audit.reader_folder import FolderReader
from transfer.audit.verify import verify_log
from transfer.model.identifiers import ItemId
from transfer.model.states import State
from transfer.store import journal
from transfer.store.register import ItemRow
from transfer.wiring import Site, open_site
from transfer.workspace import Workspace

QUICK = {"settle_seconds": "0.3", "rescan_seconds": "0.5", "min_free_bytes": "0"}
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run_command(*arguments: str | Path, cwd: Path, within: float = 90, **environment: str) -> Answer:
    """`python -m transfer ...` as a person would run it."""
    done = subprocess.run(
        [sys.executable, "-m", "transfer", *map(str, arguments)],
        cwd=cwd,
        env=source_environment(**environment),
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert TRACEBACK not in done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


def source_environment(**more: str) -> dict[str, str]:
    """The environment in which `transfer` is the one of this source tree."""
    source = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": source, "NO_COLOR": "1", **more}


class Place:
    """One demo workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = Workspace(root)
        self.drop_folder = root / "staging" / "open-day"
        self.release = root / "release"
        self.key = root / "demo" / "helen.key"
        self._site: Site | None = None

    def command(self, *arguments: str | Path, within: float = 90) -> Answer:
        """A command on this workspace."""
        return run_command(*arguments, "-w", self.root, cwd=self.root.parent, within=within)

    def must(self, *arguments: str | Path, within: float = 90) -> Answer:
        """A command that has to succeed."""
        answer = self.command(*arguments, within=within)
        assert answer.code == 0, (arguments, answer)
        return answer

    def set(self, section: str, **values: str) -> None:
        """Sets keys of one section of transfer.toml, each value as it is written there."""
        text = self.workspace.settings_file.read_text()
        head, found, rest = text.partition(f"[{section}]\n")
        assert found, section
        for key in values:
            rest = re.sub(rf"(?m)^{key} = .*\n", "", rest, count=1)
        lines = "".join(f"{key} = {value}\n" for key, value in values.items())
        self.workspace.settings_file.write_text(f"{head}{found}{lines}{rest}")

    def drop(self, name: str | bytes, content: bytes, *, post: str = "") -> Path:
        """Puts a file into the campaign's folder, in one step as most programs do not."""
        folder = self.drop_folder / post
        folder.mkdir(exist_ok=True)
        path = folder / (os.fsdecode(name) if isinstance(name, bytes) else name)
        path.write_bytes(content)
        return path

    @property
    def site(self) -> Site:
        """The workspace as this process has it open."""
        if self._site is None:
            self._site = open_site(self.workspace)
        return self._site

    def close(self) -> None:
        """Gives the database back."""
        if self._site is not None:
            self._site.db.close()
            self._site = None

    def rows(self) -> list[ItemRow]:
        """All items, oldest first."""
        with self.site.db.read() as tx:
            return self.site.register.rows(tx, limit=1_000_000)[::-1]

    def by_name(self, name: str) -> ItemRow:
        """The newest item of this name."""
        return [row for row in self.rows() if row.name.text == name][-1]

    def counts(self) -> dict[str, int]:
        """How many items are in each state."""
        with self.site.db.read() as tx:
            return {state.value: number for state, number in self.site.register.counts(tx).items()}

    def entries(self, event: str = "") -> list[dict[str, Any]]:
        """The log's leaves, in order, of one kind or all."""
        with self.site.db.read() as tx:
            leaves = [decode_leaf(leaf) for leaf in journal.leaves(tx, 0, journal.head(tx).size)]
        return [leaf for leaf in leaves if event in {"", leaf["event"]}]

    def approve(self, *items: ItemId) -> None:
        """Signs as the approver, without the price of a process."""
        site = self.site
        seed = load_signing_key(self.key).seed
        for start in range(0, len(items), MAX_ITEMS):
            batch = items[start : start + MAX_ITEMS]
            with site.db.write() as tx:
                who = find(tx, "helen", desk=site.desk).person
                note = draft_approval(tx, batch, by=who, risk=Risk.LOW, desk=site.desk, policy=site.policy)
                accept(tx, sign_statement(note, seed), desk=site.desk, policy=site.policy)

    def approve_all(self) -> int:
        """Signs for everything that waits for it; how many."""
        waiting = [row.item for row in self.rows() if row.state is State.HELD and row.waiting_for == "approval"]
        if waiting:
            self.approve(*waiting)
        return len(waiting)

    def withdraw(self, item: ItemId) -> None:
        """Takes one item back."""
        site = self.site
        with site.db.write() as tx:
            who = find(tx, "helen", desk=site.desk).person
            note = draft_withdrawal(tx, [item], by=who, reason="a test", desk=site.desk)
            withdraw(tx, sign_statement(note, load_signing_key(self.key).seed), desk=site.desk)

    def verify(self) -> int:
        """The whole log, from the public folder and from the database, with every approval; how many entries."""
        verifier = parse_vkey((self.workspace.log / "log.vkey").read_text().strip())
        check = check_trail
        verify_log(FolderReader(self.workspace.log), [verifier], statement_check=check)
        with self.site.db.read() as tx:
            report = verify_log(DatabaseReader(tx), [verifier], statement_check=check)
        return report.size + report.unpublished

    def leftovers(self) -> list[Path]:
        """Temporaries anywhere in the workspace but in staging."""
        found = []
        workspace = self.workspace
        for folder in (workspace.state, workspace.log, workspace.feedback, workspace.receipts, self.release):
            found += [path for path in folder.rglob("*") if path.name.startswith((".part-", "part-"))]
        return found

    def check_release(self, *, removed: Collection[str] = ()) -> None:
        """What lies in the release folder is exactly what the records say: names, bytes, and nothing else.

        `removed` are items that the device's side took away. A running gateway may be writing its manifest just now.
        """
        released = [row for row in self.rows() if row.state is State.RELEASED and row.item not in removed]
        names = [row.released_as for row in released]
        assert len(set(names)) == len(names)
        there: dict[str, bytes] = {}

        def is_listed() -> bool:
            there.clear()
            with contextlib.suppress(FileNotFoundError):
                there.update((path.name, path.read_bytes()) for path in self.release.iterdir())
                return not any(name.startswith("part-") for name in there)
            return False

        wait_for(is_listed, 10, "what is being written to have its name")
        there.pop("manifest.note", None)
        assert sorted(there) == sorted(str(name) for name in names)
        for row in released:
            assert hashlib.sha256(there[str(row.released_as)]).hexdigest() == row.rebuilt_sha256


@dataclass
class Running:
    """`transfer run`, started by a test."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    ended: bool = field(default=False)

    def said(self) -> str:
        return self.out.read_text(errors="replace")

    def complained(self) -> str:
        return self.err.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL to the supervisor alone."""
        self.process.kill()
        self.process.wait()
        self.ended = True


def start(place: Place, *arguments: str, ready: bool = True, within: float = 40) -> Running:
    """Starts `transfer run`; with `ready` returns once the gateway has greeted."""
    number = len(list(place.root.parent.glob("run-*.out")))
    out, err = (place.root.parent / f"run-{number}.{end}" for end in ("out", "err"))
    with out.open("wb") as writes, err.open("wb") as complains:
        process = subprocess.Popen(
            [sys.executable, "-m", "transfer", "run", "-w", str(place.root), *arguments],
            cwd=place.root.parent,
            env=source_environment(),
            stdout=writes,
            stderr=complains,
            start_new_session=True,
        )
    running = Running(process, out, err)
    if ready:
        wait_for(lambda: "drop files into" in running.said() or process.poll() is not None, within, "the greeting")
        assert process.poll() is None, running.complained()
    return running


def stop(running: Running, *, expect: int | None = 0) -> None:
    """Ctrl-C; what it said on the way must be sentences."""
    if not running.ended:
        running.process.send_signal(signal.SIGTERM)
        code = running.process.wait(40)
        running.ended = True
        assert expect is None or code == expect, (code, running.complained())
    assert TRACEBACK not in running.complained(), running.complained()
    assert "defect" not in running.complained(), running.complained()


@contextlib.contextmanager
def running(place: Place, *arguments: str) -> Iterator[Running]:
    """`transfer run` for the length of the block."""
    started = start(place, *arguments)
    try:
        yield started
    except BaseException:
        sys.stderr.write(started.complained())
        raise
    else:
        stop(started)
    finally:
        if started.process.poll() is None:
            end_family(started.process.pid)
            started.process.wait()


def wait_for(true: Callable[[], object], seconds: float, what: str) -> float:
    """Waits until it is so; the seconds it took. Fails with `what` after so many seconds."""
    began = time.monotonic()
    while not true():
        took = time.monotonic() - began
        assert took < seconds, f"{what} did not come within {seconds} seconds"
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass(frozen=True)
class Process:
    """One process of a running gateway: its number and what it does there."""

    pid: int
    role: str


def family(supervisor: int) -> list[Process]:
    """The supervisor and everything below it that lives now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
    found = [Process(supervisor, "supervisor")] if supervisor in parents else []
    below = [supervisor]
    while below:
        parent = below.pop()
        for pid in [child for child, of in parents.items() if of == parent]:
            found.append(Process(pid, _role(pid, parent)))
            below.append(pid)
    return found


def _role(pid: int, parent: int) -> str:
    words = _words(pid)
    for word in ("guard", "gateway"):
        if "process" in words and word in words:
            return word
    if "transfer.child" in words:
        kind = "residue" if "residue" in words else "media"
        return f"{kind} {'child' if 'transfer.child' in _words(parent) else 'zygote'}"
    return "supervisor" if "run" in words else "other"


def _words(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return []


def end_family(supervisor: int) -> list[Process]:
    """SIGKILL to all of them at once, the oldest first; whom it met."""
    members = family(supervisor)
    for member in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)
    return members


def copy_of(template: Place, root: Path, **intake: str) -> Place:
    """A workspace of its own, made from one that was made once for all tests."""
    shutil.copytree(template.root, root)
    place = Place(root)
    place.set("intake", **{**QUICK, **intake})
    place.set("log", publish_seconds="0.3")
    return place
