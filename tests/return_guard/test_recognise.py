"""Ours, altered, absent or foreign: the judgement alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from transfer.model.identifiers import Sha256
from transfer.model.names import safe_name
from transfer.model.states import Kind
from transfer.return_guard.messages import Expected, Stage
from transfer.return_guard.perimeter import AsideName, parse_aside_name
from transfer.return_guard.recognise import (
    TICK_NS,
    TRUST_SECONDS,
    Entry,
    Identity,
    Judgement,
    Sight,
    Watchlist,
    judge,
    name_digest,
)

ONE, TWO = Sha256("11" * 32), Sha256("22" * 32)
OURS = Expected(stage=Stage.PLACED, name=safe_name("photo.jpg"), temporary=safe_name("part-1.tmp"), sha256=ONE, size=10)
IDENTITY = Identity(1, 2, 10, 1_000_000_000, 1_000_000_000)
SIGHT = Sight(Kind.FILE, IDENTITY)


def entry_of(watchlist: Watchlist) -> Entry:
    entry = watchlist.get(b"photo.jpg")
    assert entry is not None
    return entry


@pytest.mark.parametrize(
    ("stage", "sight", "judgement"),
    [
        (Stage.COMING, None, Judgement.FINE),
        (Stage.PLACED, None, Judgement.ABSENT),
        (Stage.LEAVING, None, Judgement.GONE),
        (Stage.PLACED, SIGHT, Judgement.HASH),
        (Stage.COMING, SIGHT, Judgement.HASH),
        (Stage.LEAVING, SIGHT, Judgement.HASH),
        (Stage.PLACED, Sight(Kind.FILE, IDENTITY._replace(size=11)), Judgement.ALTERED),
        (Stage.COMING, Sight(Kind.FILE, IDENTITY._replace(size=9)), Judgement.ALTERED),
        (Stage.PLACED, Sight(Kind.SYMLINK, IDENTITY), Judgement.ALTERED),
        (Stage.PLACED, Sight(Kind.FOLDER, IDENTITY), Judgement.ALTERED),
    ],
)
def test_without_reading_anything(stage: Stage, sight: Sight | None, judgement: Judgement) -> None:
    watchlist = Watchlist([replace(OURS, stage=Stage.PLACED), replace(OURS, stage=stage)])
    assert judge(entry_of(watchlist), sight, now=0) is judgement


def test_a_right_hash_is_trusted_for_that_identity_and_not_for_ever() -> None:
    entry = entry_of(Watchlist([OURS]))
    entry.trust(IDENTITY, ONE, hashing_began_ns=IDENTITY.ctime_ns + TICK_NS + 1, now=0)
    assert judge(entry, SIGHT, now=1) is Judgement.FINE
    assert judge(entry, SIGHT, now=TRUST_SECONDS + 1) is Judgement.HASH
    for field in ("device", "inode", "mtime_ns", "ctime_ns"):
        other = IDENTITY._replace(**{field: getattr(IDENTITY, field) + 1})
        assert judge(entry, Sight(Kind.FILE, other), now=1) is Judgement.HASH, field


def test_a_change_within_the_clocks_grain_is_not_trusted() -> None:
    entry = entry_of(Watchlist([OURS]))
    entry.trust(IDENTITY, ONE, hashing_began_ns=IDENTITY.ctime_ns + TICK_NS, now=0)
    assert judge(entry, SIGHT, now=1) is Judgement.HASH


def test_a_wrong_hash_is_never_trusted() -> None:
    entry = entry_of(Watchlist([OURS]))
    entry.trust(IDENTITY, TWO, hashing_began_ns=2 * IDENTITY.ctime_ns, now=0)
    assert judge(entry, SIGHT, now=1) is Judgement.HASH


def test_while_one_replaces_the_other_both_are_accepted_and_then_the_new_one_alone() -> None:
    watchlist = Watchlist([OURS])
    watchlist.expect(replace(OURS, stage=Stage.COMING, sha256=TWO, size=20))
    entry = entry_of(watchlist)
    assert entry.accepted == {ONE: 10, TWO: 20}
    entry.trust(IDENTITY, ONE, hashing_began_ns=2 * IDENTITY.ctime_ns, now=0)
    assert judge(entry, SIGHT, now=1) is Judgement.FINE
    watchlist.expect(replace(OURS, stage=Stage.PLACED, sha256=TWO, size=20))
    assert entry.accepted == {TWO: 20}
    assert judge(entry, SIGHT, now=1) is Judgement.ALTERED


def test_a_temporary_is_ours_only_while_it_is_written() -> None:
    watchlist = Watchlist([replace(OURS, stage=Stage.COMING)])
    small, large = SIGHT, Sight(Kind.FILE, IDENTITY._replace(size=11))
    assert not watchlist.is_foreign(b"part-1.tmp", small)
    assert watchlist.is_foreign(b"part-1.tmp", large)
    assert watchlist.is_foreign(b"part-1.tmp", Sight(Kind.FIFO, IDENTITY))
    assert watchlist.is_foreign(b"part-2.tmp", small)
    watchlist.expect(OURS)
    assert watchlist.is_foreign(b"part-1.tmp", small)


def test_a_new_list_replaces_the_old_one_but_not_what_was_hashed() -> None:
    former = Watchlist([OURS, replace(OURS, name=safe_name("gone.jpg"))])
    entry_of(former).trust(IDENTITY, ONE, hashing_began_ns=2 * IDENTITY.ctime_ns, now=0)
    watchlist = Watchlist([OURS], former=former)
    assert list(watchlist) == [b"photo.jpg"]
    assert judge(entry_of(watchlist), SIGHT, now=1) is Judgement.FINE
    other = Watchlist([replace(OURS, sha256=TWO)], former=former)
    assert judge(entry_of(other), SIGHT, now=1) is Judgement.HASH


def test_names_are_found_by_digest_until_they_are_dropped() -> None:
    watchlist = Watchlist([OURS])
    assert watchlist.by_digest(name_digest(b"photo.jpg")) == b"photo.jpg"
    watchlist.drop(b"photo.jpg")
    watchlist.drop(b"photo.jpg")
    assert watchlist.by_digest(name_digest(b"photo.jpg")) is None
    assert len(watchlist) == 0


def test_names_aside_have_one_spelling() -> None:
    name = AsideName(1_700_000_000_000, "0123456789abcdef", ONE)
    assert parse_aside_name(name.render()) == name
    for text in (
        name.render(reported=True),
        "0" + name.render(),
        name.render() + "\n",
        name.render().upper(),
        name.render().replace("1700000000000", "999999999999999"),
        "",
    ):
        assert parse_aside_name(text) is None
