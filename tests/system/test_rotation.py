"""The log is switched to its next shard, and the process that does so is killed at every line of it.

After each death the next start finishes the switch, what was open goes on, and everything verifies: the folder with the
oldest key and with the newest, the workspace, each shard by itself; a decision made meanwhile is in the log or was
refused with a sentence.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import approve
from tests.cli.rooms import Room, call
from tests.system.place import run_command, source_environment
from transfer.audit.keys import load_key
from transfer.audit.notes import parse_vkey
from transfer.audit.shards import archived, is_switching
from transfer.auditing import audit_folder, audit_site
from transfer.errors import TransferError, Unavailable
from transfer.model.states import State
from transfer.store.lock import hold_workspace
from transfer.wiring import LOG_KEY, SystemClock

pytestmark = pytest.mark.slow

ORIGIN = "h.example/audit/2099"  # no year turns up by itself
NAMES = ("released", "approved", "held", "asked")

ROTATION, KEYS = "transfer.rotation", "transfer.key_change"
ARCHIVE, SHARDS = "transfer.audit.archive", "transfer.store.shards"
POINTS = [
    *[(f"{KEYS}:create_key", when, 1) for when in ("before", "after")],
    (f"{ROTATION}:_finish", "before", 2),  # before, and then with the sealed log
    *[(f"{ROTATION}:_publish_final", when, 1) for when in ("before", "after")],
    ("transfer.audit.publish:Publisher:sign", "after", 1),
    ("transfer.audit.receipt_files:ReceiptFiles:round", "after", 1),
    (f"{SHARDS}:_fill", "before", 1),
    (f"{SHARDS}:_fill", "after", 1),
    (f"{SHARDS}:copy_rows", "after", 1),
    (f"{ROTATION}:archive_rows", "after", 1),
    *[(f"{ARCHIVE}:_link_files", when, 1) for when in ("before", "after")],
    (f"{ARCHIVE}:replace_file", "after", 1),
    (f"{ARCHIVE}:sync_all_folders", "after", 1),
    (f"{ROTATION}:archive_folder", "after", 1),
    *[(f"{ROTATION}:_switch", when, 1) for when in ("before", "after")],
    *[(f"{SHARDS}:begin_anew", when, 1) for when in ("before", "after")],
    (f"{SHARDS}:statements_moved", "after", 1),
    *[(f"{ROTATION}:take_key", when, 1) for when in ("before", "after")],
    (f"{KEYS}:write_all", "before", 1),
    *[(f"{KEYS}:keep_verifier", when, 1) for when in ("before", "after")],
    *[(f"{ROTATION}:clear_folder", when, 1) for when in ("before", "after")],
    ("transfer.audit.publish:Publisher:check_start", "after", 2),
    ("transfer.audit.publish:Publisher:sign", "after", 2),
    ("transfer.audit.publish:Publisher:_write", "after", 8),
    ("transfer.audit.publish:Publisher:publish", "after", 2),
]

SETTLED = ("transfer.footing:Footing:__init__", "before", 1)  # the switch is over, the gateway goes on


@pytest.fixture(scope="module")
def open_items(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Four captions: one released, one approved and not yet released, two held. Do not change it."""
    room = Room(tmp_path_factory.mktemp("open") / "w")
    assert call("init", room.root, "--demo", "--origin", ORIGIN).code == 0
    for name in NAMES:
        (room.root / "staging" / "open-day" / f"{name}.txt").write_text(f"Come and see us: {name}.\n")
    room.gateway()
    approve(room, "released")
    room.gateway()
    approve(room, "approved")
    room.publish()
    return room


@pytest.fixture
def room(open_items: Room, tmp_path: Path) -> Room:
    return open_items.copy(tmp_path / "w")


def gateway(room: Room, *point: object) -> int:
    """A gateway at the beginning of another year; killed at the point."""
    program = [sys.executable, "-m", "tests.system.dying", *map(str, point), "--"]
    done = subprocess.run(
        [*program, "process", "gateway", "--once", "-w", str(room.root)],
        env=source_environment(),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=90,
        check=False,
    )
    return done.returncode


def check_folder(room: Room, vkey: str) -> None:
    """At any instant: it verifies, or says that it is switched just now; never that somebody changed it."""
    try:
        audit_folder(room.workspace.log, [parse_vkey(vkey)])
    except Unavailable:
        return


def check_everything(room: Room, vkey: str, *, shards: int) -> None:
    first = audit_folder(room.workspace.log, [parse_vkey(vkey)])
    newest = load_key(room.workspace.keys / LOG_KEY).verifier
    last = audit_folder(room.workspace.log, [newest])
    assert len(first.sealed) == len(last.sealed) == shards - 1
    assert first.folder.origin == newest.name
    with room.site() as site:
        audit = audit_site(site, [newest])
        assert audit.covered == first.covered
    for shard in archived(room.workspace.log):
        audit_folder(shard.folder, [parse_vkey((shard.folder / "log.vkey").read_text().strip())])
    assert not is_switching(room.workspace.log)
    assert not list(room.workspace.log.rglob(".part-*"))
    assert not list(room.workspace.state.rglob(".part-*"))


@pytest.mark.parametrize("point", POINTS, ids=lambda point: "-".join(map(str, point)).replace("transfer.", ""))
def test_killed_at_every_line(room: Room, point: tuple[str, str, int]) -> None:
    vkey = room.vkey.read_text().strip()
    assert gateway(room, *point) == -signal.SIGKILL
    check_folder(room, vkey)
    assert gateway(room, *SETTLED) == -signal.SIGKILL  # finishes it
    rotated = len(archived(room.workspace.log))
    assert rotated in {1, 2}  # 2: it was over already, and for this gateway every year is over
    check_everything(room, vkey, shards=1 + rotated)
    assert not (room.workspace.keys / "log-next.key").exists()
    approve(room, "held")
    room.publish()
    check_everything(room, vkey, shards=1 + rotated)


@pytest.mark.parametrize("point", [POINTS[7], POINTS[-2]], ids=["early", "late"])
def test_what_was_open_goes_on(room: Room, point: tuple[str, str, int]) -> None:
    vkey = room.vkey.read_text().strip()
    assert gateway(room, *point) == -signal.SIGKILL
    room.gateway()  # finishes it, and releases what was approved in the old shard
    assert room.state("approved.txt") is State.RELEASED
    approve(room, "held")
    room.must("audit", "rotate", "--as", "helen", "--reason", "a test")
    room.gateway()
    assert room.state("held.txt") is State.RELEASED
    check_everything(room, vkey, shards=3)
    assert len(list(room.workspace.receipts.rglob("*-released.tlog-proof"))) == 3


def test_killed_again_and_again_it_still_gets_there(room: Room) -> None:
    vkey = room.vkey.read_text().strip()
    for point in POINTS[2:]:
        if gateway(room, *point) != -signal.SIGKILL:
            break
        check_folder(room, vkey)
    assert gateway(room, *SETTLED) == -signal.SIGKILL
    check_everything(room, vkey, shards=len(archived(room.workspace.log)) + 1)


def test_who_reads_and_who_decides_while_it_is_switched(room: Room) -> None:
    """Readers never hear of tampering; a decision is in the log, or its maker got a sentence."""
    vkey = room.vkey.read_text().strip()
    over, said = threading.Event(), []

    def read() -> None:
        while not over.is_set():
            try:
                audit_folder(room.workspace.log, [parse_vkey(vkey)])
            except TransferError as error:
                said.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(3):
        rotating = threading.Thread(target=lambda: room_rotates(room))
        rotating.start()
        while rotating.is_alive():
            name = f"dev-{len(said)}-{id(object())}"[:30]
            answer = run_command("device", "add", name, "-w", room.root, cwd=room.root)
            assert answer.code in {0, 1, 3}, answer
        rotating.join()
    over.set()
    reader.join()
    assert all(isinstance(error, Unavailable) for error in said), said
    check_everything(room, vkey, shards=4)


def room_rotates(room: Room) -> None:
    answer = run_command("audit", "rotate", "--as", "helen", "--reason", "a test", "-w", room.root, cwd=room.root)
    assert answer.code == 0, answer


def test_a_running_gateway_keeps_the_log_to_itself(room: Room) -> None:
    with hold_workspace(room.workspace.lock, clock=SystemClock()):
        answer = run_command("audit", "rotate", "--as", "helen", "-w", room.root, cwd=room.root)
    assert answer.code == 3
    assert "holds this workspace" in answer.err
