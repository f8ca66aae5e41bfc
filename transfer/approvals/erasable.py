"""What of the log and of the statements is a person's own, or about nobody but them: what erasing them takes away.

What enters: a pseudonym, in the caller's transaction. What leaves: fewer openings and texts, counted. Leaves and signed
statements stay as they are; they hold a pseudonym and salted digests.

    theirs      openings of entries by them, about them, and about their items; texts of statements that they signed or
                campaigns that they proposed; texts of decisions about nothing but their items, and of their disabling
    not theirs  the names of people whom they enrolled, the labels of devices, texts about other people's items too
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transfer.approvals.desk import Desk
from transfer.approvals.signing import read_unverified
from transfer.approvals.statement import (
    ApprovalStatement,
    CampaignStatement,
    ClosingStatement,
    Decision,
    DisableStatement,
    EnrolmentStatement,
    PauseStatement,
    RefusalStatement,
    ReviewStatement,
    Statement,
    WithdrawalStatement,
)
from transfer.audit.entries import decode_leaf, parse_disclosure
from transfer.model.events import EventName
from transfer.model.identifiers import ItemId, PersonId, Sha256
from transfer.store import erasures, journal
from transfer.store.database import ReadTx, WriteTx

_ABOUT = (EventName.PERSON_ENROLLED.value, EventName.PERSON_DISABLED.value)
_NOT_THEIRS = (EventName.PERSON_ENROLLED.value, EventName.DEVICE_ADDED.value)  # the name is another's, or a device's


def mentions(tx: ReadTx, name: str) -> list[int]:
    """The entries in which a text that is still kept has this name, in any case."""
    wanted = name.casefold()
    return sorted({i for i, text in erasures.openings(tx) if wanted in parse_disclosure(text).value.casefold()})


def drop_openings(tx: WriteTx, person: PersonId) -> int:
    """Drops the openings in entries by or about this person, and about their items; how many."""
    return erasures.drop_openings(tx, _by_or_about(tx, person)) + erasures.drop_openings_of_items(tx, person)


def drop_archived_openings(tx: WriteTx, person: PersonId, theirs: frozenset[ItemId]) -> int:
    """The same in the rows of a sealed shard, which know entries only: `theirs` are the items of this person.

    Goes for what opens the words of statements about nothing but their items, too.
    """
    return erasures.drop_openings(tx, _archived(tx, person, theirs))


def count_archived_openings(tx: ReadTx, person: PersonId, theirs: frozenset[ItemId]) -> int:
    """How many that will be."""
    return erasures.count_openings(tx, _archived(tx, person, theirs))


def _archived(tx: ReadTx, person: PersonId, theirs: frozenset[ItemId]) -> list[int]:
    entries = _by_or_about(tx, person) + erasures.entries_of_items(tx, theirs)
    for index in erasures.entries_named(tx, [EventName.STATEMENT_ACCEPTED.value]):
        if _is_theirs(read_unverified(_facts(tx, index)["statement"]), person, theirs):
            entries.append(index)
    return entries


def _by_or_about(tx: ReadTx, person: PersonId) -> list[int]:
    entries: list[int] = []
    for index, event in erasures.entries_by(tx, person):
        about = _facts(tx, index).get("person") if event in _NOT_THEIRS else person
        entries += [index] if about == person else []
    return entries + [i for i in erasures.entries_named(tx, _ABOUT) if _facts(tx, i).get("person") == person]


def drop_words(tx: WriteTx, person: PersonId, *, desk: Desk) -> tuple[int, int, set[ItemId]]:
    """Drops the texts behind statements by or about this person, and what opens them in the log.

    How many texts, how many openings, and other people's items that such a text stands at.
    """
    theirs = erasures.items_of(tx, person)
    proposed = _proposed(tx)
    gone = {digest for digest, by in proposed.items() if by == person}
    known = set(proposed)
    entries: list[int] = []
    reworded: set[ItemId] = set()
    for row in desk.statements.everything(tx):
        statement = read_unverified(row.note)
        digests = set(_digests(statement))
        known |= digests
        if _is_theirs(statement, person, theirs):
            gone |= digests
            entries += [row.entry] if not isinstance(statement, EnrolmentStatement) else []
            if isinstance(statement, RefusalStatement):
                reworded |= {item for item, _ in statement.items} - theirs
    openings = erasures.drop_openings(tx, entries)
    return erasures.erase_words(tx, gone) + erasures.drop_drafted_words(tx, known), openings, reworded


def _is_theirs(statement: Statement, person: PersonId, theirs: frozenset[ItemId]) -> bool:
    """Whether this person wrote the words of a statement, or it is about nobody and nothing but them."""
    if statement.by == person:
        return True
    if isinstance(statement, Decision):
        return all(item in theirs for item, _ in statement.items)
    return isinstance(statement, DisableStatement) and statement.person == person


def _digests(statement: Statement) -> list[Sha256]:
    """The texts that a statement names. A campaign's are its proposer's, not those of who approves it."""
    match statement:
        case ApprovalStatement(note=note):
            return [note] if note is not None else []
        case (
            RefusalStatement(reason=reason)
            | ReviewStatement(reason=reason)
            | WithdrawalStatement(reason=reason)
            | ClosingStatement(reason=reason)
            | DisableStatement(reason=reason)
            | PauseStatement(reason=reason)
        ):
            return [reason]
        case CampaignStatement() | EnrolmentStatement():
            return []


def _proposed(tx: ReadTx) -> Mapping[Sha256, str | None]:
    """The words of every campaign that was ever proposed, and who proposed it."""
    found: dict[Sha256, str | None] = {}
    for index in erasures.entries_named(tx, [EventName.CAMPAIGN_PROPOSED.value]):
        leaf = _leaf(tx, index)
        found[Sha256(leaf.get("facts", {}).get("details", ""))] = leaf.get("by")
    return found


def _facts(tx: ReadTx, index: int) -> Mapping[str, Any]:
    facts = _leaf(tx, index).get("facts", {})
    return facts if isinstance(facts, Mapping) else {}


def _leaf(tx: ReadTx, index: int) -> Mapping[str, Any]:
    return decode_leaf(journal.leaves(tx, index, index + 1)[0])
