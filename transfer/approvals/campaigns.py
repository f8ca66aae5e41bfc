"""Campaigns (G1, G7, G11): proposed by anybody, approved by an approver's signature, current on certain days, closed.

What enters: a proposal from a command line, untrusted signed notes. What leaves: rows for people to read, entries in
the log, and the one answer that counts, `standing`: whether anything may be sent for a campaign now, replayed from
signatures each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from transfer.approvals.desk import Desk, wrong_kind
from transfer.approvals.quorum import check_campaign
from transfer.approvals.signing import read_unverified
from transfer.approvals.statement import CampaignStatement, ClosingStatement, Risk
from transfer.approvals.statement_text import parse_account
from transfer.approvals.wording import clean_text
from transfer.audit.canonical import parse_canonical, render_canonical
from transfer.errors import Misuse, NotSo
from transfer.model.events import Event, EventName
from transfer.model.identifiers import CampaignId, PersonId
from transfer.policy.rules import CampaignStanding
from transfer.store.database import ReadTx, WriteTx
from transfer.store.directory import CampaignRow

_WORDS: Final = ("purpose", "justification", "assessment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an approver will read. `assessment` says in words how high the risk to integrity is and why (G7)."""

    campaign: CampaignId
    account: str
    starts: date
    ends: date
    risk: Risk
    purpose: str
    justification: str
    assessment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCampaign:
    """One campaign as `campaign list` prints it; the words are empty once erased."""

    row: CampaignRow
    standing: CampaignStanding
    approved_by: PersonId | None
    words: dict[str, str]


def propose(tx: WriteTx, proposal: Proposal, *, by: PersonId, desk: Desk) -> CampaignRow:
    """Keep a proposal; an earlier one of that name is replaced, what was approved of it stays approved.

    Raises Misuse if something is missing or the dates are the wrong way round.
    """
    words = {word: clean_text(getattr(proposal, word)) for word in _WORDS}
    for word, text in words.items():
        if not text:
            raise Misuse(f"A campaign needs a {word}.", advice=f"Give it with --{word}.", clauses=("G1",))
    if proposal.ends < proposal.starts:
        raise Misuse("The campaign would end before it starts.", advice="Correct its dates.")
    kept = desk.keep_words(tx, render_canonical(words).decode())
    row = CampaignRow(
        campaign=proposal.campaign,
        account=parse_account(proposal.account),
        starts=proposal.starts.isoformat(),
        ends=proposal.ends.isoformat(),
        risk=proposal.risk.value,
        details=kept.digest,
        proposed_by=by,
        proposed_at=desk.clock.now(),
    )
    event = Event(
        name=EventName.CAMPAIGN_PROPOSED,
        by=by,
        facts={
            "campaign": row.campaign,
            "account": row.account,
            "starts": row.starts,
            "ends": row.ends,
            "risk": row.risk,
            "details": row.details,
        },
        private=words,
    )
    desk.directory.propose_campaign(tx, row, entry=desk.recorder.append(tx, event))
    return row


def approve(tx: WriteTx, note: str, *, desk: Desk) -> CampaignStatement:
    """Take in a campaign's approval; it has to say what was proposed. Raises Misuse, NotSo, Tampered."""
    signed = desk.govern(tx, note, CampaignStatement, campaign=_campaign_of(note))
    statement = signed.statement
    if not isinstance(statement, CampaignStatement):
        raise wrong_kind(statement.kind, CampaignStatement.kind)
    row = _proposed(tx, statement.campaign, desk=desk)
    stated = (
        statement.account,
        statement.starts.isoformat(),
        statement.ends.isoformat(),
        statement.risk.value,
        statement.details,
    )
    if stated != (row.account, row.starts, row.ends, row.risk, row.details):
        raise NotSo(
            f"The statement approves another proposal of {statement.campaign} than the one that stands.",
            advice="Read the present one with `transfer campaign list` and make the statement anew.",
            clauses=("G1",),
        )
    desk.words(tx, statement.details)
    desk.take_in(tx, signed, EventName.CAMPAIGN_APPROVED, facts={"campaign": statement.campaign})
    return statement


def close(tx: WriteTx, note: str, *, desk: Desk) -> ClosingStatement:
    """Take in a campaign's end. Raises Misuse, NotSo (not open), Tampered."""
    signed = desk.govern(tx, note, ClosingStatement, campaign=_campaign_of(note))
    statement = signed.statement
    if not isinstance(statement, ClosingStatement):
        raise wrong_kind(statement.kind, ClosingStatement.kind)
    reason = desk.words(tx, statement.reason)
    private = {"reason": reason} if reason else {}
    desk.take_in(tx, signed, EventName.CAMPAIGN_CLOSED, facts={"campaign": statement.campaign}, private=private)
    return statement


def standing(tx: ReadTx, campaign: CampaignId | None, *, desk: Desk) -> CampaignStanding:
    """Whether anything may be sent for this campaign now. Raises Tampered."""
    if campaign is None or desk.directory.campaign(tx, campaign) is None:
        return CampaignStanding.UNKNOWN
    return _standing(desk.authority(tx, campaign=campaign).campaign(campaign), campaign, desk=desk)


def listing(tx: ReadTx, *, desk: Desk) -> list[ListedCampaign]:
    """All campaigns, oldest proposal first. Raises Tampered."""
    authority = desk.whole_authority(tx)
    listed = []
    for row in desk.directory.campaigns(tx):
        approved = authority.campaign(row.campaign)
        listed.append(
            ListedCampaign(
                row=row,
                standing=_standing(approved, row.campaign, desk=desk),
                approved_by=approved.by if approved else None,
                words=_words(tx, row, desk=desk),
            )
        )
    return listed


def _standing(approved: CampaignStatement | None, campaign: CampaignId, *, desk: Desk) -> CampaignStanding:
    if approved is None:
        return CampaignStanding.NOT_APPROVED
    try:
        check_campaign(approved, campaign, now=desk.clock.now())
    except NotSo:
        return CampaignStanding.NOT_CURRENT
    return CampaignStanding.APPROVED


def _words(tx: ReadTx, row: CampaignRow, *, desk: Desk) -> dict[str, str]:
    try:
        words = parse_canonical(desk.words(tx, row.details).encode())
    except NotSo:  # erased
        return {}
    return {word: str(words.get(word, "")) for word in _WORDS} if isinstance(words, dict) else {}


def _proposed(tx: ReadTx, campaign: CampaignId, *, desk: Desk) -> CampaignRow:
    row = desk.directory.campaign(tx, campaign)
    if row is None:
        raise NotSo(
            f"No campaign {campaign} was ever proposed.", advice="`transfer campaign propose`.", clauses=("G1",)
        )
    return row


def _campaign_of(note: str) -> CampaignId | None:
    claimed = read_unverified(note)
    return claimed.campaign if isinstance(claimed, CampaignStatement | ClosingStatement) else None
