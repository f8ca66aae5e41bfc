"""The words of a policy: rules, demands and limits, and the evidence they are held against. Pure.

A `Policy` is what is in force after overlays are applied; `policy.rulebook` makes it from a file and `policy.decide`
uses it. All sizes are bytes, all ages days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from transfer.model.findings import Code, Finding, ScanResult, Severity, WaitingFor
from transfer.model.fingerprint import Comparison
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, MediaFacts
from transfer.model.names import SafeName
from transfer.model.recipe import Recipe
from transfer.model.search import Label, PersonalKind, Search

# What no policy may change, whoever writes it: the four promises of the product hang on these answers.
_MUST_REFUSE = frozenset(
    {
        Code.SYMLINK,
        Code.HARD_LINK,
        Code.NOT_A_FILE,
        Code.SPARSE,
        Code.UNREADABLE,
        Code.SHORTCUT,
        Code.UNFINISHED,
        Code.NOT_AS_REPORTED,
        Code.WRITTEN_BY_DEVICE,
        Code.WRITER_UNKNOWN,
        Code.WRITTEN_BY_SEVERAL,
        Code.TYPE_UNKNOWN,
        Code.TYPE_MISMATCH,
        Code.UNDECODABLE,
        Code.MALFORMED_STRUCTURE,
        Code.INFLATES,
        Code.TEXT_IS_PROGRAM,
        Code.MARKING,
        Code.SANDBOX_CRASHED,
        Code.SANDBOX_TIMEOUT,
        Code.SANDBOX_MEMORY,
        Code.SANDBOX_PROTOCOL,
        Code.MALWARE,
        Code.REBUILD_FAILED,
        Code.RESIDUE,
        Code.RETURNING,
        Code.REFUSED_BY_APPROVER,
        Code.INTERNAL_FAULT,
    }
)
_MUST_HOLD = frozenset(
    {
        Code.OUTSIDE_CAMPAIGN,
        Code.CAMPAIGN_UNKNOWN,
        Code.CAMPAIGN_NOT_APPROVED,
        Code.CAMPAIGN_NOT_CURRENT,
        Code.NO_DEVICE,
        Code.MALWARE_UNSCANNABLE,
        Code.MALWARE_SCANNER_UNAVAILABLE,
    }
)
STRICTNESS: Mapping[Severity, int] = MappingProxyType({Severity.NOTE: 0, Severity.HOLD: 1, Severity.REFUSE: 2})


def floor(code: Code) -> Severity:
    """The mildest answer that any policy may give to this code."""
    if code in _MUST_REFUSE:
        return Severity.REFUSE
    return Severity.HOLD if code in _MUST_HOLD else Severity.NOTE


class CampaignStanding(StrEnum):
    """Whether the campaign a file was dropped for may send anything now (G1)."""

    APPROVED = "approved"
    UNKNOWN = "unknown"
    NOT_APPROVED = "not-approved"
    NOT_CURRENT = "not-current"


class ScanDemand(StrEnum):
    """Whether a file may go on to approval when no malware scanner answers."""

    REQUIRED = "required"
    WHEN_AVAILABLE = "when-available"  # it goes on, marked «not scanned for malware»


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What follows from some findings, in the name of which clauses, and in which words.

    `message` and `advice` are templates of `policy.wording`. `waiting_for` is set if and only if the rule holds.
    """

    id: str
    clauses: tuple[str, ...]
    on: tuple[Code, ...]
    severity: Severity
    waiting_for: WaitingFor | None
    message: str
    advice: str

    @property
    def then(self) -> str:
        """As the policy file spells it: `refuse`, `hold:scanner`, `note`."""
        return f"hold:{self.waiting_for}" if self.waiting_for is not None else str(self.severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who has to sign before anything leaves (G1, G6, G7)."""

    quorum: int
    four_eyes: bool  # whoever dropped a file cannot approve it
    valid_days: int  # an approval that is older releases nothing
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Malware:
    """What is asked of the malware scanner (G9)."""

    scan: ScanDemand
    max_signature_age_days: int  # older signatures count as no scanner


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many days things are kept once their item has ended; then they go, with an entry in the log."""

    raw_days: int
    clean_days: int
    refused_days: int
    aside_days: int
    feedback_days: int
    unapproved_days: int  # an item that nobody approved for so long expires


@dataclass(frozen=True, slots=True, kw_only=True)
class Markings:
    """Protective markings. In a name both lists count in any case; see `model.marks`."""

    any_case: tuple[str, ...]
    capitals: tuple[str, ...]  # in running text they count only in capitals: «a secret garden» is not SECRET


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """Which personal data is looked for, and which addresses may stand anywhere; the words are those of `Search`."""

    kinds: tuple[PersonalKind, ...] = ()
    regions: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    student_numbers: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What the platform that the device posts to takes, as it documents it: for advice, never a reason to refuse.

    `formats` are those in which files are dropped; sides in points, rates in pictures a second, sizes in bytes.
    """

    name: str
    formats: tuple[Format, ...]
    codecs: tuple[str, ...]
    least_side: int
    most_side: int
    least_rate: int
    most_rate: int
    seconds: int
    image_bytes: int
    video_bytes: int
    upright: bool  # films are shown upright, so that a lying one is shown small


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy in force. `text` is its canonical form, JSON; `sha256` is the digest of `text`."""

    name: str
    title: str
    derived_from: tuple[str, ...]  # the policies it extends, nearest first
    limits: MediaLimits
    hash_limit_bytes: int  # a file refused at the door is still hashed up to this size
    formats: tuple[Format, ...]
    markings: Markings
    labels: tuple[Label, ...]
    personal: Personal
    approval: Approval
    malware: Malware
    recipe: Recipe
    retention: Retention
    rules: tuple[Rule, ...]
    platform: Platform | None = None  # None: no advice is given
    read_pictures: bool = False  # words in pictures are searched as those of a caption are
    comparison: Comparison | None = None  # None: what files look like is not compared
    stop_when_exposed: bool = True  # nothing goes while others than the device and the staff reach its folder
    text: str = ""
    sha256: str = ""
    _by_code: Mapping[Code, Rule] = field(init=False, repr=False, compare=False)
    _search: Search = field(init=False, repr=False, compare=False)  # put together once: every file is searched

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_code", {code: rule for rule in self.rules for code in rule.on})
        object.__setattr__(self, "_search", self._put_together())

    def rule_for(self, code: Code) -> Rule | None:
        """The rule that names this code, if any does."""
        return self._by_code.get(code)

    @property
    def allowed_suffixes(self) -> tuple[str, ...]:
        """The extensions of all allowed formats, in lower case with their dot."""
        return tuple(suffix for format_ in self.formats for suffix in format_.suffixes)

    @property
    def marks(self) -> tuple[str, ...]:
        """All markings for `model.marks`: in lower case those that count in any case, in capitals the others."""
        return self._search.marks

    @property
    def search(self) -> Search:
        """Everything that is looked for in names, texts and metadata."""
        return self._search

    def _put_together(self) -> Search:
        return Search(
            marks=(
                *(mark.lower() for mark in self.markings.any_case),
                *(mark.upper() for mark in self.markings.capitals),
            ),
            labels=self.labels,
            personal=self.personal.kinds,
            regions=self.personal.regions,
            countries=self.personal.countries,
            student_numbers=self.personal.student_numbers,
            allowed=self.personal.allowed,
            pictures=self.read_pictures,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that is known about a rebuilt file when it is judged.

    `scans` holds every scanner's answer about the original and about the rebuilt file; none at all is not an answer.
    """

    name: SafeName
    post: SafeName | None = None
    findings: tuple[Finding, ...]
    media: MediaFacts | None
    scans: tuple[ScanResult, ...]
    campaign: CampaignStanding
    returning: bool
    cleared: frozenset[Code] = frozenset()  # what a person looked at and signed, under this policy
    size: int = 0  # of the file as it came, in bytes; 0 where it is not known
