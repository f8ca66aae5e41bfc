"""Drafts: the text of a statement as things stand now, for a person to read and sign wherever their key is.

What enters: what somebody wants to decide. What leaves: the text that `sign_statement` signs; the words behind its
digests are kept here before anybody signs. A draft decides nothing and needs no key: whatever is wrong with it is found
when it is handed in, and the commonest mistakes already here, in the same sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from transfer.approvals.desk import Desk
from transfer.approvals.reviews import to_review
from transfer.approvals.statement import (
    LINE,
    MAX_ITEMS,
    PEOPLE,
    ApprovalStatement,
    CampaignStatement,
    ClosingStatement,
    DisableStatement,
    EnrolmentStatement,
    Item,
    PauseStatement,
    RefusalStatement,
    ReviewStatement,
    Risk,
    Role,
    WithdrawalStatement,
    campaign_series,
)
from transfer.approvals.statement_text import render_statement
from transfer.approvals.wording import clean_text
from transfer.errors import Misuse, NotSo
from transfer.model.identifiers import CampaignId, ItemId, PersonId, Sha256
from transfer.policy.rules import Policy
from transfer.store.database import ReadTx, WriteTx


def draft_approval(
    tx: WriteTx, items: Sequence[ItemId], *, by: PersonId, risk: Risk, note: str = "", desk: Desk, policy: Policy
) -> str:
    """An approval that declares these items PUBLIC. They belong to one campaign. Raises Misuse, NotSo."""
    campaigns = {desk.register.row(tx, item).campaign for item in items}
    if len(campaigns) > 1:
        raise Misuse("These items belong to several campaigns.", advice="Make one statement for each campaign.")
    campaign = next(iter(campaigns), None)
    if items and campaign is None:
        raise NotSo(
            "These items belong to no campaign, so they cannot be approved.",
            advice="They have to lie in a campaign's folder: staging/CAMPAIGN/FILE.",
            clauses=("G1",),
        )
    text = clean_text(note)
    return render_statement(
        ApprovalStatement(
            items=_items(tx, items, desk=desk),
            public=True,
            risk=risk,
            campaign=campaign or CampaignId(""),
            policy=Sha256(policy.sha256),
            note=desk.keep_words(tx, text).digest if text else None,
            at=desk.clock.now(),
            by=by,
        )
    )


def draft_refusal(tx: WriteTx, items: Sequence[ItemId], *, by: PersonId, reason: str, desk: Desk) -> str:
    """A refusal, with the reason that staff will read. Raises Misuse, NotSo."""
    text = clean_text(reason)
    if not text:
        raise Misuse("A refusal needs a reason, for whoever dropped the file.", advice="Give it with --reason.")
    return render_statement(
        RefusalStatement(
            items=_items(tx, items, desk=desk), reason=_digest(tx, text, desk=desk), at=desk.clock.now(), by=by
        )
    )


def draft_review(tx: WriteTx, items: Sequence[ItemId], *, by: PersonId, reason: str, desk: Desk, policy: Policy) -> str:
    """That what these items wait for a person to look at is no obstacle. Raises Misuse, NotSo.

    It clears what the items' verdicts name, all of it; items that wait for different findings need one statement each.
    """
    text = clean_text(reason)
    if not text:
        raise Misuse("A review needs a reason, for whoever approves and audits.", advice="Give it with --reason.")
    codes = {to_review(tx, item, desk=desk) for item in items}
    if len(codes) > 1:
        raise Misuse("These items wait for different findings to be looked at.", advice="Review each by itself.")
    return render_statement(
        ReviewStatement(
            items=_items(tx, items, desk=desk),
            codes=next(iter(codes), ()),
            policy=Sha256(policy.sha256),
            reason=_digest(tx, text, desk=desk),
            at=desk.clock.now(),
            by=by,
        )
    )


def draft_withdrawal(tx: WriteTx, items: Sequence[ItemId], *, by: PersonId, reason: str, desk: Desk) -> str:
    """A withdrawal. Raises Misuse, NotSo."""
    return render_statement(
        WithdrawalStatement(
            items=_items(tx, items, desk=desk), reason=_digest(tx, reason, desk=desk), at=desk.clock.now(), by=by
        )
    )


def draft_campaign(tx: ReadTx, campaign: CampaignId, *, by: PersonId, desk: Desk) -> str:
    """The approval of a campaign as it was last proposed. Raises NotSo."""
    row = desk.directory.campaign(tx, campaign)
    if row is None:
        raise NotSo(
            f"No campaign {campaign} was ever proposed.", advice="`transfer campaign propose`.", clauses=("G1",)
        )
    return render_statement(
        CampaignStatement(
            campaign=campaign,
            account=row.account,
            starts=date.fromisoformat(row.starts),
            ends=date.fromisoformat(row.ends),
            risk=Risk(row.risk),
            details=row.details,
            after=desk.authority(tx, campaign=campaign).head(campaign_series(campaign)),
            at=desk.clock.now(),
            by=by,
        )
    )


def draft_closing(tx: WriteTx, campaign: CampaignId, *, by: PersonId, reason: str = "", desk: Desk) -> str:
    """The end of a campaign."""
    return render_statement(
        ClosingStatement(
            campaign=campaign,
            reason=_digest(tx, reason, desk=desk),
            after=desk.authority(tx, campaign=campaign).head(campaign_series(campaign)),
            at=desk.clock.now(),
            by=by,
        )
    )


def draft_enrolment(tx: ReadTx, person: PersonId, *, role: Role, public_key: str, by: PersonId, desk: Desk) -> str:
    """An enrolment, or another key for somebody enrolled. The first approver's has `by` equal to `person`."""
    return render_statement(
        EnrolmentStatement(
            person=person,
            role=role,
            public_key=public_key,
            after=desk.authority(tx).head(PEOPLE),
            at=desk.clock.now(),
            by=by,
        )
    )


def draft_disabling(tx: WriteTx, person: PersonId, *, by: PersonId, reason: str = "", desk: Desk) -> str:
    """The end of somebody's rights."""
    return render_statement(
        DisableStatement(
            person=person,
            reason=_digest(tx, reason, desk=desk),
            after=desk.authority(tx).head(PEOPLE),
            at=desk.clock.now(),
            by=by,
        )
    )


def draft_pause(tx: WriteTx, *, paused: bool, by: PersonId, reason: str, desk: Desk) -> str:
    """A pause, or its end. Raises Misuse without a reason."""
    text = clean_text(reason)
    if not text:
        raise Misuse("A pause and its end need a reason, for whoever reads the log.", advice="Give it with --reason.")
    return render_statement(
        PauseStatement(
            paused=paused,
            reason=_digest(tx, text, desk=desk),
            after=desk.authority(tx).head(LINE),
            at=desk.clock.now(),
            by=by,
        )
    )


def _items(tx: ReadTx, items: Sequence[ItemId], *, desk: Desk) -> tuple[Item, ...]:
    if not 1 <= len(set(items)) <= MAX_ITEMS:
        raise Misuse(
            f"A statement speaks of 1 to {MAX_ITEMS} items; these are {len(set(items))}.",
            advice="Make several statements.",
        )
    return tuple((item, _rebuilt(tx, item, desk=desk)) for item in sorted(set(items)))


def _rebuilt(tx: ReadTx, item: ItemId, *, desk: Desk) -> Sha256:
    row = desk.register.row(tx, item)
    if row.rebuilt_sha256 is None:
        raise NotSo(
            f"Item {item} is {row.state}; nothing has been rebuilt from it that could be decided about.",
            advice=f"`transfer show {item}` tells what happened to it.",
        )
    return row.rebuilt_sha256


def _digest(tx: WriteTx, text: str, *, desk: Desk) -> Sha256:
    return desk.keep_words(tx, clean_text(text)).digest
