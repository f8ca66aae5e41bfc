"""What the operator can do who holds the log's own key: tell another past, and sign all of it again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.approvals.office import CAMPAIGN, Signatory
from tests.audit.attacked import MALLORY, Attack, Scene, Story, respelled, retold
from tests.audit.attacks_on_files import other_letter
from transfer.approvals.statement import (
    ApprovalStatement,
    EnrolmentStatement,
    PauseStatement,
    Risk,
    Role,
    Statement,
    WithdrawalStatement,
)
from transfer.approvals.statement_keys import SigningKey
from transfer.approvals.statement_text import render_statement, statement_sha256
from transfer.model.clock import parse_time
from transfer.model.identifiers import Sha256

STRANGER = SigningKey(b"s" * 32)


def signed(statement: Statement, who: Signatory) -> dict[str, Any]:
    """The facts that an entry has of a statement."""
    note = who.sign(render_statement(statement))
    return {"kind": statement.kind, "statement": note, "statement_sha256": statement_sha256(note)}


def approval(story: Story, who: Signatory, *, later: timedelta = timedelta(), item: str = "") -> dict[str, Any]:
    """The entry of an approval of the item's very bytes."""
    subject = item or story.scene.item
    released = story.of("file.released", item=subject)
    entry = copy.deepcopy(story.bodies[story.accepted(story.scene.item)])
    statement = ApprovalStatement(
        items=((subject, Sha256(released["file"]["sha256"])),),  # type: ignore[arg-type]
        public=True,
        risk=Risk.LOW,
        campaign=CAMPAIGN,
        policy=Sha256(released["policy"]["sha256"]),
        note=None,
        at=parse_time(entry["at"]) + later,
        by=who.person,
    )
    entry["facts"] |= signed(statement, who)
    entry["by"] = who.person
    return entry


def approve_with(who: Signatory, **given: Any) -> Callable[[Story], None]:
    """The item's approval replaced by another one."""

    def change(story: Story) -> None:
        entry = approval(story, who, **given)
        index = story.accepted(story.scene.item)
        story.bodies[index] = entry
        for event in ("file.releasing", "file.released"):
            facts = story.of(event, item=story.scene.item)["facts"]
            facts["statement_sha256"] = entry["facts"]["statement_sha256"]

    return change


def in_entry(event: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Story], None]:
    return lambda story: change(story.of(event, item=story.scene.item))


def in_accepted(change: Callable[[dict[str, Any]], object]) -> Callable[[Story], None]:
    return lambda story: change(story.bodies[story.accepted(story.scene.item)])


def other_bytes(story: Story) -> None:
    for event in ("file.releasing", "file.released"):
        story.of(event, item=story.scene.item)["file"]["sha256"] = "d" * 64


def other_signature(body: dict[str, Any]) -> None:
    note = body["facts"]["statement"]
    body["facts"]["statement"] = other_letter(note, -20)
    body["facts"]["statement_sha256"] = statement_sha256(body["facts"]["statement"])


def without(*events: str) -> Callable[[Story], None]:
    """Entries of the item left out; `accepted` is that of its approval."""

    def change(story: Story) -> None:
        for event in events:
            item = story.scene.item
            story.remove(story.accepted(item) if event == "accepted" else story.where(event, item=item))

    return change


def left_out(event: str) -> Callable[[Story], None]:
    return lambda story: story.remove(story.where(event)) and None


def approved_afterwards(story: Story) -> None:
    item = story.scene.item
    entry = story.remove(story.accepted(item))
    story.remove(story.where("file.approved", item=item))
    story.insert(story.where("file.released", item=item) + 1, entry)


def released_without_asking(story: Story) -> None:
    """Another file that was only held, released on the statement about this one."""
    item = story.scene.item
    for event in ("file.releasing", "file.released"):
        body = copy.deepcopy(story.of(event, item=item))
        body["item"] = "i-zzzzzzz7"
        story.bodies.append(body | {"at": story.bodies[-1]["at"]})
    spooled = story.of("file.spooled", item=item) | {"item": "i-zzzzzzz7"}
    story.insert(len(story.bodies) - 2, spooled)


def once_more(event: str) -> Callable[[Story], None]:
    return lambda story: story.bodies.append(
        copy.deepcopy(story.of(event, item=story.scene.item)) | {"at": story.bodies[-1]["at"]}
    )


def put_back_other_bytes(story: Story) -> None:
    body = copy.deepcopy(story.of("file.released", item=story.scene.item))
    body |= {"event": "release.restored", "at": story.bodies[-1]["at"]}
    body["file"]["sha256"] = "d" * 64
    story.bodies.append(body)


def by_herself(story: Story) -> None:
    story.of("file.spooled", item=story.scene.item)["by"] = story.scene.helen.person


def withdrawn_before(story: Story) -> None:
    releasing = story.where("file.releasing", item=story.scene.item)
    entry = copy.deepcopy(story.bodies[story.accepted(story.scene.item)])
    statement = WithdrawalStatement(
        items=((story.scene.item, Sha256(story.bodies[releasing]["file"]["sha256"])),),
        reason=Sha256("e" * 64),
        at=parse_time(entry["at"]),
        by=story.scene.helen.person,
    )
    entry["facts"] = signed(statement, story.scene.helen)
    story.insert(releasing, entry)


def during_the_pause(story: Story) -> None:
    """The line's own pause, ended only after the release."""
    resumed = story.remove(story.where("gateway.resumed"))
    story.insert(story.where("file.released", item=story.scene.item) + 1, resumed)


def pause_forgotten(story: Story) -> None:
    """A second pause by an approver who never made one, as far as the log still says."""
    paused = copy.deepcopy(story.of("gateway.paused"))
    statement = PauseStatement(
        paused=True, reason=Sha256("e" * 64), after=None, at=parse_time(paused["at"]), by=story.scene.helen.person
    )
    paused["facts"] |= signed(statement, story.scene.helen)
    story.insert(story.where("gateway.resumed") + 1, paused)


def enrol(who: Signatory, *, by: Signatory | None, facts: dict[str, Any] | None = None) -> Callable[[Story], None]:
    """Mallory becomes an approver and approves the item."""

    def change(story: Story) -> None:
        nth = [i for i, body in enumerate(story.bodies) if body["event"] == "person.enrolled"][-1]
        entry = copy.deepcopy(story.bodies[nth])
        entry.pop("_sd", None)
        if by is not None:
            statement = EnrolmentStatement(
                person=who.person,
                role=Role.APPROVER,
                public_key=who.key.public_key,
                after=Sha256(entry["facts"]["statement_sha256"]),
                at=parse_time(entry["at"]),
                by=by.person,
            )
            entry["facts"] |= signed(statement, by) | {"person": who.person}
            entry["by"] = by.person
        else:
            entry["facts"] = facts
            entry.pop("by", None)
        story.insert(nth + 1, entry)
        approve_with(who)(story)

    return change


def own_first_approver(story: Story) -> None:
    first = story.of("person.enrolled")
    statement = EnrolmentStatement(
        person=MALLORY.person,
        role=Role.APPROVER,
        public_key=MALLORY.key.public_key,
        after=None,
        at=parse_time(first["at"]),
        by=MALLORY.person,
    )
    first["facts"] |= signed(statement, MALLORY) | {"person": MALLORY.person}
    first["by"] = MALLORY.person


def other_policy(story: Story) -> None:
    for event in ("file.releasing", "file.released"):
        story.of(event, item=story.scene.item)["policy"]["sha256"] = "e" * 64


def of_an_item(event: str) -> Callable[[Scene], int]:
    return lambda scene: scene.where(event, item=scene.item)


def raw(where: int | Callable[[Scene], int], change: Callable[[bytes], bytes]) -> Attack:
    return lambda scene: respelled(where if isinstance(where, int) else where(scene), change)(scene)


def sub(old: bytes, new_: bytes) -> Callable[[bytes], bytes]:
    return lambda leaf: leaf.replace(old, new_, 1)


def told(change: Callable[[Story], None]) -> Attack:
    return retold(change)
