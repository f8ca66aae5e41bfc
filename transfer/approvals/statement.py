"""Statements: what a person decides, as values. Pure; `statement_text` has their one spelling.

A statement carries pseudonyms, digests, dates and levels; never a name, never free text (that goes in as a salted
digest, see `wording`), because the log shows it for good.

Statements that change who may decide, a campaign, or the pause form *series*: each names the digest of the one before
it (`after`), so that none can be left out, doubled or used again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Literal, TypeAlias

from transfer.model.findings import Code
from transfer.model.identifiers import CampaignId, ItemId, PersonId, Sha256

MAX_ITEMS = 64


class Risk(StrEnum):
    """The assessed risk to integrity: copying, manipulation, imitation by AI (G7)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Role(StrEnum):
    """What a person is enrolled for; one person may be several."""

    SUBMITTER = "submitter"
    APPROVER = "approver"
    AUDITOR = "auditor"
    OPERATOR = "operator"


Item: TypeAlias = tuple[ItemId, Sha256]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalStatement:
    """These rebuilt bytes may go: they are PUBLIC (G6), and this is the risk (G7)."""

    kind: ClassVar[str] = "approval"
    items: tuple[Item, ...]
    public: Literal[True]
    risk: Risk
    campaign: CampaignId
    policy: Sha256
    note: Sha256 | None
    at: datetime
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewStatement:
    """Somebody looked at what the gateway found about these rebuilt bytes, and it is no obstacle: they may go on to
    approval, which this is not."""

    kind: ClassVar[str] = "review"
    items: tuple[Item, ...]
    codes: tuple[Code, ...]
    policy: Sha256
    reason: Sha256
    at: datetime
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalStatement:
    """These rebuilt bytes may not go."""

    kind: ClassVar[str] = "refusal"
    items: tuple[Item, ...]
    reason: Sha256
    at: datetime
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalStatement:
    """These are to be taken back, released or not."""

    kind: ClassVar[str] = "withdrawal"
    items: tuple[Item, ...]
    reason: Sha256
    at: datetime
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignStatement:
    """A campaign is approved (G1) for an official account (G11), from the first to the last day, both included, UTC.

    `details` is the digest of purpose, justification and integrity-risk assessment.
    """

    kind: ClassVar[str] = "campaign"
    campaign: CampaignId
    account: str
    starts: date
    ends: date
    risk: Risk
    details: Sha256
    after: Sha256 | None
    at: datetime
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingStatement:
    """A campaign ends now."""

    kind: ClassVar[str] = "closing"
    campaign: CampaignId
    reason: Sha256
    after: Sha256 | None
    at: datetime
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentStatement:
    """`person` has this role and signs with this Ed25519 key (64 hex digits). The first approver's is self-signed."""

    kind: ClassVar[str] = "enrolment"
    person: PersonId
    role: Role
    public_key: str
    after: Sha256 | None
    at: datetime
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableStatement:
    """`person` has no role any longer, and the key counts for nothing from now on."""

    kind: ClassVar[str] = "disabling"
    person: PersonId
    reason: Sha256
    after: Sha256 | None
    at: datetime
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseStatement:
    """Releasing stops at once (`paused`), or goes on again."""

    kind: ClassVar[str] = "pause"
    paused: bool
    reason: Sha256
    after: Sha256 | None
    at: datetime
    by: PersonId


Decision: TypeAlias = ApprovalStatement | ReviewStatement | RefusalStatement | WithdrawalStatement
Governing: TypeAlias = CampaignStatement | ClosingStatement | EnrolmentStatement | DisableStatement | PauseStatement
Statement: TypeAlias = Decision | Governing

PEOPLE = "people"
LINE = "line"


def series_of(statement: Statement) -> str | None:
    """The series a governing statement belongs to; None for a decision about items."""
    match statement:
        case EnrolmentStatement() | DisableStatement():
            return PEOPLE
        case CampaignStatement() | ClosingStatement():
            return campaign_series(statement.campaign)
        case PauseStatement():
            return LINE
        case _:
            return None


def campaign_series(campaign: CampaignId) -> str:
    """The series of the statements about one campaign."""
    return f"campaign:{campaign}"
