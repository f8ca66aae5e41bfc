"""Is this enough to let these bytes go? The rules of an approval, one function a rule. Pure.

What enters: statements whose signatures were checked (`authority`), and the facts about an item. What leaves: nothing,
or NotSo with the sentence that names the one thing that is wrong. The gateway when an approval is handed in, the
gateway again before it releases, and an auditor reading the log all ask these same functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from transfer.approvals.statement import ApprovalStatement, CampaignStatement, Item
from transfer.errors import Misuse, NotSo
from transfer.model.clock import render_time
from transfer.model.identifiers import CampaignId, ItemId, PersonId, Sha256

MAX_AHEAD = timedelta(minutes=5)  # how much the clocks of two machines may differ


def check_time(at: datetime, *, now: datetime, valid: timedelta) -> None:
    """A statement is not of the future, nor older than it is valid. Nothing becomes approved by waiting."""
    if at > now + MAX_AHEAD:
        raise NotSo(
            f"The statement is dated {render_time(at)}, which is in the future.",
            advice="Set the clocks of both machines, then make the statement anew.",
        )
    if at + valid < now:
        raise NotSo(
            f"The statement of {render_time(at)} has expired; it was valid for {valid.days} days.",
            advice="Look at the file again, make a new statement and sign it.",
            clauses=("G6",),
        )


def check_campaign(approved: CampaignStatement | None, campaign: CampaignId, *, now: datetime) -> None:
    """The campaign is approved by a head of department, and this is one of its days (UTC)."""
    if approved is None or approved.campaign != campaign:
        raise NotSo(
            f"The campaign {campaign} is not approved, or it has been closed.",
            advice="An approver signs it: `transfer campaign approve`.",
            clauses=("G1",),
        )
    if not approved.starts <= now.date() <= approved.ends:
        raise NotSo(
            f"The campaign {campaign} is approved from {approved.starts} to {approved.ends}; today is {now.date()}.",
            advice="Propose it again with other dates.",
            clauses=("G1",),
        )


def check_policy(stated: Sha256, *, judged: str, in_force: str) -> None:
    """What was signed was judged by the policy in force, and signed under it."""
    if judged != in_force:
        raise NotSo(
            "The file was judged by an earlier policy than the one in force.",
            advice="The gateway judges it again; approve it after that.",
        )
    if stated != in_force:
        raise NotSo(
            "The statement was made under another policy than the one in force.",
            advice="Make the statement anew and sign it.",
        )


def check_item(
    statement: ApprovalStatement,
    *,
    item: ItemId,
    sha256: Sha256,
    campaign: CampaignId | None,
    submitter: PersonId,
    four_eyes: bool = True,
) -> None:
    """The statement speaks of exactly these bytes, for the campaign the file was dropped for, by another person."""
    check_bytes(statement.items, item=item, sha256=sha256)
    if campaign is None or statement.campaign != campaign:
        raise NotSo(
            f"Item {item} belongs to the campaign {campaign or '(none)'}; the statement is for {statement.campaign}.",
            advice="Make a statement for the item's own campaign.",
            clauses=("G1",),
        )
    if four_eyes and statement.by == submitter:
        raise NotSo(
            f"Item {item} was handed in by the person who would approve it.",
            advice="Another approver has to look at it and sign.",
            clauses=("G6",),
        )


def check_bytes(items: Iterable[Item], *, item: ItemId, sha256: Sha256) -> None:
    """The item is named, with this digest."""
    stated = dict(items).get(item)
    if stated is None:
        raise NotSo(f"The statement does not speak of item {item}.")
    if stated != sha256:
        raise NotSo(
            f"The statement is about other bytes: item {item} has the SHA-256 {sha256}, not {stated}.",
            advice=f"Look at it again: `transfer preview {item} DIR`, then make a new statement.",
            clauses=("G6",),
        )


def missing(approvers: Iterable[PersonId], *, quorum: int) -> int:
    """How many more approvers have to sign; each counts once. Raises Misuse for a quorum of none."""
    if quorum < 1:
        raise Misuse("A policy cannot ask for no approver at all.", clauses=("G6",))
    return max(0, quorum - len(set(approvers)))
