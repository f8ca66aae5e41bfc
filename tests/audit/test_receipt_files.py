"""Receipts that are made by themselves: one for each end of an item, durable before it counts, never made otherwise."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.audit.conftest import ORIGIN, Bench, digest, item
from tests.store.disks import fill, small_disk
from transfer.audit import receipt_files
from transfer.audit.entries import parse_leaf
from transfer.audit.notes import Ed25519Signer, parse_note, sign_note
from transfer.audit.proving import prove
from transfer.audit.proving_shards import Sought, prove_rows
from transfer.audit.receipt_files import ReceiptFiles, prepare_folder
from transfer.audit.receipts import open_receipt, parse_receipt
from transfer.audit.shard_rows import ShardRows
from transfer.errors import NotSo, Tampered, Unavailable
from transfer.model.events import Event, EventName, FileFact
from transfer.store.durable import TEMPORARY_PREFIX
from transfer.store.receipt_cursor import receipts_until, set_receipts_until

Names = dict[str, bytes]


class Office:
    """A log and its receipts."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folder = bench.folder / "receipts"
        prepare_folder(self.folder, bench.db)
        self.afresh()

    def afresh(self) -> None:
        """As after a start."""
        self.files = ReceiptFiles(db=self.bench.db, folder=self.folder, verifiers=[self.bench.signer.verifier])

    def end(self, number: int, name: EventName) -> None:
        """One entry about the end of an item."""
        event = Event(name=name, item=item(number), file=FileFact(sha256=digest(number), size=number))
        with self.bench.db.write() as tx:
            self.bench.log.append(tx, event)

    def all(self) -> int:
        """Rounds until nothing is due; how many."""
        rounds = 1
        while self.files.round():
            rounds += 1
        return rounds

    def there(self) -> Names:
        """Every file below the folder."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }

    def until(self) -> int:
        with self.bench.db.read() as tx:
            return receipts_until(tx)

    def back_to(self, index: int) -> None:
        """What a crash before the mark moved leaves."""
        with self.bench.db.write() as tx:
            set_receipts_until(tx, index)
        self.afresh()

    def check(self) -> int:
        """Every receipt is genuine, is of the item in its name and of its end; how many there are."""
        there = self.there()
        for name, text in there.items():
            entry, _ = open_receipt(parse_receipt(text), [self.bench.signer.verifier])
            leaf = parse_leaf(entry)
            month, _, file = name.partition("/")
            assert month == leaf.at[:7]
            assert file.startswith(f"{leaf.item}-{leaf.event.removeprefix('file.')}")
        return len(there)


@pytest.fixture
def office(bench: Bench) -> Office:
    return Office(bench)


def test_one_for_each_end_and_for_nothing_else(office: Office) -> None:
    office.bench.record(8)  # two items' lives, both released
    office.end(7, EventName.FILE_REFUSED)
    office.end(8, EventName.FILE_WITHDRAWN)
    office.end(9, EventName.FILE_EXPIRED)
    office.all()
    assert office.there() == {}  # nothing is signed yet
    office.bench.publisher.sign()
    office.all()
    ends = [(0, "released"), (1, "released"), (7, "refused"), (8, "withdrawn")]
    assert set(office.there()) == {f"2026-01/{item(number)}-{end}.tlog-proof" for number, end in ends}
    assert office.check() == 4
    assert office.until() == 11
    modes = {path.stat().st_mode & 0o777 for path in office.folder.rglob("*") if path.is_file()}
    assert modes == {0o644}
    assert {path.stat().st_mode & 0o777 for path in (office.folder, office.folder / "2026-01")} == {0o755}


def test_a_lost_folder_gets_the_very_same_bytes_however_the_log_grew(office: Office) -> None:
    for _ in range(6):
        office.bench.publish(7)
        office.all()
    before = office.there()
    assert len(before) == 10
    shutil.rmtree(office.folder)
    prepare_folder(office.folder, office.bench.db)
    assert office.until() == 0
    office.afresh()
    office.all()
    assert office.there() == before


def test_what_lies_there_is_not_written_again(office: Office) -> None:
    office.bench.publish(20)
    office.all()
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in office.folder.rglob("*.tlog-proof")}
    office.back_to(0)
    office.bench.publish(4)
    office.all()
    assert (
        before.items()
        <= {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in office.folder.rglob("*.tlog-proof")}.items()
    )
    assert office.check() == 6


def test_a_genuine_receipt_by_a_later_checkpoint_stays(office: Office) -> None:
    """As after `audit adopt`, where the first checkpoint over an entry is not known any more."""
    office.bench.publish(4)
    office.bench.publish(9)
    with office.bench.db.read() as tx:
        later = receipt_files.render_receipt(prove(tx, 3)).encode()
    path = office.folder / "2026-01" / f"{item(0)}-released.tlog-proof"
    path.parent.mkdir()
    path.write_bytes(later)
    office.all()
    assert path.read_bytes() == later
    assert office.check() == 3


def test_damaged_ones_are_replaced(office: Office) -> None:
    office.bench.publish(16)
    office.all()
    before = office.there()
    paths = sorted(office.folder.rglob("*.tlog-proof"))
    paths[0].write_bytes(b"")
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    paths[2].unlink()
    paths[2].symlink_to("/etc/hostname")
    paths[3].write_bytes(os.urandom(1 << 17))
    office.back_to(0)
    office.all()
    assert office.there() == before
    assert not paths[2].is_symlink()


def test_a_second_end_of_one_kind_has_its_number(office: Office) -> None:
    office.end(5, EventName.FILE_REFUSED)
    office.end(5, EventName.FILE_REFUSED)
    office.bench.publish()
    office.all()
    names = [f"2026-01/{item(5)}-refused.tlog-proof", f"2026-01/{item(5)}-refused-1.tlog-proof"]
    assert sorted(office.there()) == sorted(names)
    before = office.there()
    office.back_to(0)
    office.all()
    assert office.there() == before


def test_genuine_receipts_of_another_history_are_kept_and_raise_the_alarm(office: Office) -> None:
    """The log was written anew by whoever holds its key: what was handed out before is evidence."""
    office.end(5, EventName.FILE_REFUSED)
    office.bench.publish()
    office.all()
    name = f"2026-01/{item(5)}-refused.tlog-proof"
    shown = office.there()[name]
    (office.bench.folder / "again").mkdir()
    again = Bench(office.bench.folder / "again")
    anew = Office.__new__(Office)
    anew.bench, anew.folder = again, office.folder
    anew.afresh()
    anew.end(6, EventName.FILE_RELEASED)
    anew.end(5, EventName.FILE_REFUSED)
    again.publisher.sign()
    anew.all()
    assert anew.there()[name] == shown
    assert set(anew.there()) == {
        name, f"2026-01/{item(5)}-refused-1.tlog-proof", f"2026-01/{item(6)}-released.tlog-proof"
    }  # fmt: skip
    (office.folder / f"2026-01/{item(5)}-refused-1.tlog-proof").write_bytes(shown)
    anew.back_to(0)
    with pytest.raises(Tampered, match="genuine receipts of other entries"):
        anew.all()
    again.db.close()


def test_a_round_is_short(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipt_files, "_BATCH", 3)
    monkeypatch.setattr(receipt_files, "_SCANNED", 20)
    office.bench.publish(80)
    assert office.files.round()
    assert len(office.there()) == 3
    assert office.until() == 15  # the fourth release
    assert office.all() <= 8
    assert office.check() == 20
    assert not office.files.round()


def test_entries_without_receipts_cost_no_commit_each(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        office.end(number, EventName.FILE_HELD)
        office.bench.publisher.sign()
        assert not office.files.round()
    assert office.until() == 0
    office.end(5, EventName.FILE_RELEASED)
    office.bench.publisher.sign()
    office.all()
    assert office.until() == 6


def test_nothing_is_handed_out_that_would_not_verify(office: Office) -> None:
    office.bench.publish(4)
    office.bench.sql("UPDATE audit_entry SET leaf = CAST(replace(leaf, '2026', '2027') AS BLOB) WHERE i = 3")
    with pytest.raises(Tampered, match="does not show"):
        office.files.round()
    assert office.there() == {}
    other = ReceiptFiles(
        db=office.bench.db, folder=office.folder, verifiers=[Ed25519Signer("x", bytes(32)).verifier]
    )  # fmt: skip
    with pytest.raises(Tampered):
        other.round()


def test_a_mark_that_is_no_number(office: Office) -> None:
    office.bench.publish(4)
    office.all()
    office.bench.sql("UPDATE meta SET value = 'x' WHERE key = 'receipts'")
    office.afresh()
    with pytest.raises(Tampered, match="cannot be read"):
        office.files.round()


def test_a_folder_that_is_gone_is_said_and_nothing_is_forgotten(office: Office) -> None:
    office.bench.publish(8)
    shutil.rmtree(office.folder)
    with pytest.raises(Unavailable, match="is gone"):
        office.files.round()
    assert office.until() == 0
    prepare_folder(office.folder, office.bench.db)
    office.all()
    assert office.check() == 2


def test_a_full_disk_is_said_and_it_goes_on_later(office: Office) -> None:
    office.bench.publish(120)
    with small_disk(office.folder, kibibytes=256) as disk:
        filler = fill(disk, leave=24_000)
        with pytest.raises(Unavailable, match="The disk is full while writing receipts"):
            office.all()
        assert office.bench.publish(4) == 124  # the log does not wait for them
        assert not [name for name in office.there() if TEMPORARY_PREFIX in name]
        assert office.until() == 0
        filler.unlink()
        office.all()
        assert office.check() == 31


def test_a_receipt_of_a_refused_item_proves_its_refusal(office: Office) -> None:
    office.end(1, EventName.FILE_HELD)
    office.end(1, EventName.FILE_REFUSED)
    office.end(1, EventName.FILE_EXPIRED)
    office.end(2, EventName.FILE_RELEASED)
    office.end(2, EventName.FILE_WITHDRAWN)
    office.end(3, EventName.FILE_WITHDRAWN)
    office.end(3, EventName.FILE_EXPIRED)
    office.end(4, EventName.FILE_HELD)
    office.bench.publisher.sign()
    office.end(4, EventName.FILE_RELEASED)  # not signed yet
    rows = ShardRows(office.bench.db, office.bench.log_dir, origin=ORIGIN)
    own = office.bench.signer.verifier

    def proven(**sought: str) -> int:
        return prove_rows(rows, Sought(**sought), own=own).receipt.index

    assert [proven(item=item(n)) for n in (1, 2, 3, 4)] == [1, 3, 5, 7]
    assert [proven(sha256=digest(n)) for n in (1, 2, 3, 4)] == [1, 3, 5, 7]
    with pytest.raises(NotSo, match="no signed entry"):
        proven(item=item(9))


def test_a_checkpoint_is_of_the_log_whose_key_signed_it(office: Office) -> None:
    """A key that the reader trusts for one log says nothing about another one."""
    office.bench.publish(4)
    with office.bench.db.read() as tx:
        receipt = prove(tx, 3)
    other = Ed25519Signer("other.example/log", bytes(32))
    text, _ = parse_note(receipt.note)
    forged = replace(receipt, note=sign_note(text, [other]))
    with pytest.raises(Tampered, match=r"it was signed by other\.example/log"):
        open_receipt(forged, [office.bench.signer.verifier, other.verifier])
    both = replace(receipt, note=sign_note(text, [office.bench.signer, other]))
    assert open_receipt(both, [office.bench.signer.verifier, other.verifier])[0] == receipt.entry


# ---- kills


def die_at(step: int, *, after: bool) -> None:
    """Kills this process at the given one of the calls that change something, or right after it."""
    left = step

    def wrap(call: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object, **given: object) -> object:
            nonlocal left
            left -= 1
            if left == 0 and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return call(*args, **given)
            finally:
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        return counted

    for module, name in [(os, name) for name in ("mkdir", "chmod", "open", "write", "fsync", "rename", "unlink")]:
        setattr(module, name, wrap(getattr(module, name)))
    receipt_files.set_receipts_until = wrap(receipt_files.set_receipts_until)


def killed(folder: Path, step: int, *, after: bool) -> bool:
    """Starts, makes receipts and is killed on the way; False if it came to the end before."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            bench = Bench(folder)
            receipt_files._BATCH = 2
            die_at(step, after=after)
            prepare_folder(folder / "receipts", bench.db)
            files = ReceiptFiles(db=bench.db, folder=folder / "receipts", verifiers=[bench.signer.verifier])
            while files.round():
                pass
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_killed_anywhere_every_receipt_is_there_in_the_end(tmp_path: Path, after: bool) -> None:
    (tmp_path / "made").mkdir()
    made = Bench(tmp_path / "made")
    made.publish(9)
    made.publish(11)
    whole = Office(made)
    whole.all()
    expected = whole.there()
    assert len(expected) == 5
    made.db.close()
    shutil.rmtree(whole.folder)
    for step in range(1, 200):
        folder = tmp_path / f"{step}"
        shutil.copytree(tmp_path / "made", folder)
        died = killed(folder, step, after=after)
        there = Office.there(_of(folder))
        assert {name: text for name, text in there.items() if TEMPORARY_PREFIX not in name}.items() <= expected.items()
        bench = Bench(folder)
        assert Office(bench).all()
        office = Office(bench)
        office.all()
        assert office.there() == expected, (step, after)
        bench.db.close()
        if not died:
            break
        shutil.rmtree(folder)
    assert 40 < step < 199


def _of(folder: Path) -> Office:
    office = Office.__new__(Office)
    office.folder = folder / "receipts"
    return office
