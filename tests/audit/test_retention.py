"""Old sealed shards lose their entries and nothing else, by an entry, and never while a legal hold stands."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.audit.test_shards import ORIGIN, leaves, turn, turned, verify, vkey_of
from tests.cli.rooms import Room, call
from transfer import retention
from transfer.audit.holds import holds
from transfer.audit.shards import archived
from transfer.errors import NotSo, Tampered
from transfer.retention import prune, prune_old
from transfer.store.shards import archives

__all__ = ["turned"]  # the fixture: three shards, made once

AT_ONCE = timedelta(microseconds=1)


@pytest.fixture
def copy(turned: Room, tmp_path: Path) -> Room:
    return turned.copy(tmp_path / "w")


def prune_all(room: Room, keep: timedelta = AT_ONCE) -> list[str]:
    with room.site() as site:
        return prune(site, keep=keep)


def test_the_entries_go_and_everything_else_stays(copy: Room) -> None:
    before = [one.report for one in verify(copy, 0).sealed]
    assert prune_all(copy) == ["2099", "2099.2"]
    assert archives(copy.workspace.database) == {}
    for number in range(3):
        audit = verify(copy, number)
        assert [(one.report.size, one.report.root) for one in audit.sealed] == [(r.size, r.root) for r in before]
        assert all(one.report.entries_checked == 0 and one.report.tiles_checked for one in audit.sealed)
        assert [one.pruned_by is not None for one in audit.sealed] == [True, True]
    for shard in archived(copy.workspace.log):
        assert shard.is_pruned()
        assert not list(shard.folder.rglob("*entries*"))
    assert not list((copy.workspace.log / "archive").glob(".*"))
    copy.must("audit", "verify")
    sealed = copy.must("audit", "verify", "--json").json["sealed"]
    assert sealed[0]["pruned_by"]["origin"] == f"{ORIGIN}.3"
    assert "entries pruned by entry" in copy.must("audit", "verify").out
    for receipt in copy.workspace.receipts.rglob("*.tlog-proof"):
        codes = {call("audit", "verify", receipt, "--vkey", vkey_of(copy, n).vkey).code for n in range(3)}
        assert 0 in codes


def test_who_may_decide_is_still_known_after_the_next_rotation(copy: Room) -> None:
    prune_all(copy)
    turn(copy)
    turn(copy)
    assert leaves(copy.workspace.log)[0]["facts"]["pruned"] == ["2099", "2099.2"]
    audit = verify(copy, 0)
    assert [one.pruned_by is not None for one in audit.sealed] == [True, True, False, False]
    copy.must("audit", "verify")
    assert prune_all(copy) == ["2099.3", "2099.4"]
    verify(copy, 0)
    copy.gateway()
    copy.must("audit", "verify")


def test_nothing_goes_before_its_time_or_where_it_is_kept_for_ever(copy: Room) -> None:
    assert prune_all(copy, timedelta(days=400)) == []
    assert prune_all(copy, timedelta(0)) == []
    with copy.site() as site:
        assert prune_old(site) == []
    assert len(archives(copy.workspace.database)) == 2


def test_a_crash_after_the_entry_is_finished_by_the_next_start(copy: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(retention, "_remove", die)
        with pytest.raises(KeyboardInterrupt):
            prune_all(copy)
    copy.must("audit", "verify")
    with monkeypatch.context() as patch:
        patch.setattr(retention.shards, "remove_archive", die)
        with pytest.raises(KeyboardInterrupt):
            prune_all(copy)
    copy.must("audit", "verify")
    copy.gateway()
    assert archives(copy.workspace.database) == {}
    assert all(shard.is_pruned() for shard in archived(copy.workspace.log))
    copy.must("audit", "verify")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tile/0/000.p", "root that was signed|does not have|not what was published|missing"),
        ("sealed.tlog-proof", "proof|receipt|missing|pruned"),
        ("opened.tlog-proof", "proof|receipt|missing|pruned"),
        ("checkpoint", "checkpoint|sealed"),
        ("log.vkey", "log.vkey"),
    ],
)
def test_what_is_left_cannot_be_changed(copy: Room, path: str, words: str) -> None:
    prune_all(copy)
    key, target = vkey_of(copy, 2), copy.workspace.log / "archive" / "2099" / path
    if target.is_dir():
        [target] = target.iterdir()
    content = target.read_bytes()
    target.unlink()
    target.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    with pytest.raises(Tampered, match=words):
        verify(copy)
    assert key


def test_pruning_that_no_entry_tells_of_is_tampering(copy: Room) -> None:
    for label in ("2099", "2099.2"):
        shutil.rmtree(copy.workspace.log / "archive" / label / "tile" / "entries")
    with pytest.raises(Tampered, match="no entry says that they were pruned"):
        verify(copy)
    assert copy.call("audit", "verify").code == 4


def test_while_a_hold_stands_nothing_goes(copy: Room) -> None:
    assert copy.call("audit", "hold", "set", "--as", "helen").code == 2
    assert copy.call("audit", "hold", "set", "--as", "sam", "--reason", "x").code == 1
    told = copy.must("audit", "hold", "set", "--as", "helen", "--reason", "case 12/27", "--json").json["holds"]
    [hold] = told
    assert hold["reason"] == "case 12/27"
    assert prune_all(copy) == []
    turn(copy)
    [carried] = copy.must("audit", "hold", "list", "--json").json["holds"]
    assert carried == {**hold, "reason": None}
    assert hold["hold"] in copy.must("audit", "hold", "list").out
    assert prune_all(copy) == []
    with copy.site() as site, site.db.read() as tx:
        assert [one.hold for one in holds(tx)] == [hold["hold"]]
    assert copy.call("audit", "hold", "release", "h-00000000", "--as", "helen").code == 1
    copy.must("audit", "hold", "release", hold["hold"], "--as", "helen", "--reason", "closed")
    assert copy.must("audit", "hold", "list", "--json").json["holds"] == []
    assert "No hold stands" in copy.must("audit", "hold", "list").out
    assert len(prune_all(copy)) == 3
    copy.must("audit", "verify")


def test_nobody_is_erased_and_no_blob_expires_while_a_hold_stands(copy: Room) -> None:
    from transfer.audit.holds import require_no_hold
    from transfer.housekeeping import Housekeeping

    copy.must("people", "add", "dana", "--role", "auditor")
    copy.must("people", "disable", "dana")
    copy.must("audit", "hold", "set", "--as", "helen", "--reason", "case 12/27")
    refused = copy.call("people", "erase", "dana", "--as", "helen", "--ground", "a request")
    assert refused.code == 1
    assert "legal hold" in refused.err
    with copy.site() as site:
        with site.db.read() as tx, pytest.raises(NotSo, match="legal hold"):
            require_no_hold(tx, what="Nothing happens")

        class Later:
            def now(self):
                return site.clock.now() + timedelta(days=4000)

        keeping = Housekeeping(
            db=site.db, register=site.register, recorder=site.log, blobs=site.blobs, policy=site.policy, clock=Later()
        )
        assert keeping.round() is False
        with site.db.read() as tx:
            assert sum(site.register.counts(tx).values()) == 4
            assert "expired" not in {state.value for state in site.register.counts(tx)}
    [hold] = copy.must("audit", "hold", "list", "--json").json["holds"]
    copy.must("audit", "hold", "release", hold["hold"], "--as", "helen")
    copy.must("people", "erase", "dana", "--as", "helen", "--ground", "a request")
