"""Findings: what a station noticed about a file, in words of one list. The policy says what follows from each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Code(StrEnum):
    """Everything a station can notice. A code that no rule of the policy names refuses the file."""

    # at the door
    SYMLINK = "symlink"
    HARD_LINK = "hard-link"
    NOT_A_FILE = "not-a-file"  # FIFO, device, socket
    SPARSE = "sparse"
    TOO_LARGE = "too-large"
    EMPTY = "empty"
    NAME_NOT_ALLOWED = "name-not-allowed"  # an extension outside the list: software does not go
    NAME_CHANGED = "name-changed"  # the name had characters that are not shown; the safe form is used
    OUTSIDE_CAMPAIGN = "outside-campaign"  # not in a campaign's folder, or too deep
    UNREADABLE = "unreadable"
    # at the door, in a drive
    SHORTCUT = "shortcut"  # to a file or folder of another drive
    UNFINISHED = "unfinished"  # an upload that does not end, or a file that stays checked out
    NOT_AS_REPORTED = "not-as-reported"  # what came has another length or hash than the service says of it
    WRITTEN_BY_DEVICE = "written-by-device"  # the device's account made or changed it
    WRITER_UNKNOWN = "writer-unknown"  # an application, a guest, nobody, or somebody who is not on the list
    WRITTEN_BY_SEVERAL = "written-by-several"  # more than one member of staff: who hands it in?
    # inspection
    TYPE_UNKNOWN = "type-unknown"
    TYPE_MISMATCH = "type-mismatch"  # libmagic, extension and decoder do not agree
    UNDECODABLE = "undecodable"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_MANY_FRAMES = "too-many-frames"
    TOO_LONG = "too-long"
    TOO_MANY_STREAMS = "too-many-streams"
    CODEC_NOT_ALLOWED = "codec-not-allowed"
    NO_PICTURE_STREAM = "no-picture-stream"
    EXTRA_STREAM = "extra-stream"  # data, subtitle or attachment streams the rebuild drops
    TRAILING_DATA = "trailing-data"  # a picture, a film or nothing known behind the end; the rebuild drops it
    MALFORMED_STRUCTURE = "malformed-structure"  # not built as files of its kind are; no decoder is given it
    SECOND_FILE = "second-file"  # an archive, document, program, script or markup inside or behind it
    ATTACHMENT = "attachment"  # files that a film carries along
    INFLATES = "inflates"  # a part that unpacks to far more than it may
    METADATA = "metadata"  # present in the original; removed by the rebuild
    IDENTIFYING_METADATA = "identifying-metadata"  # names, serial numbers, software and the like; removed too
    LOCATION = "location"  # a place in the metadata; removed by the rebuild
    CONTENT_CREDENTIALS = "content-credentials"  # a C2PA manifest; removed by the rebuild
    TEXT_ENCODING = "text-encoding"
    TEXT_TOO_LONG = "text-too-long"
    TEXT_IS_PROGRAM = "text-is-program"
    MARKING = "marking"  # a protective marking in a name, a text or metadata
    PUBLIC_LABEL = "public-label"  # a sensitivity label that the policy knows as PUBLIC
    PERSONAL_DATA = "personal-data"  # addresses, telephone numbers, identifiers in what is to be published
    TEXT_UNREAD = "text-unread"  # the policy has words in pictures read, and that could not be done
    TIKTOK_MARK = "tiktok-mark"  # a mark that TikTok writes into files it hands out
    # sandbox
    SANDBOX_CRASHED = "sandbox-crashed"
    SANDBOX_TIMEOUT = "sandbox-timeout"
    SANDBOX_MEMORY = "sandbox-memory"
    SANDBOX_PROTOCOL = "sandbox-protocol"
    # malware
    MALWARE = "malware"
    MALWARE_UNSCANNABLE = "malware-unscannable"
    MALWARE_SCANNER_UNAVAILABLE = "malware-scanner-unavailable"
    # rebuild
    REBUILD_FAILED = "rebuild-failed"
    RESIDUE = "residue"
    # fitness for the platform that the device posts to: advice, known after inspection
    PLATFORM_FORMAT = "platform-format"
    PLATFORM_CODEC = "platform-codec"
    PLATFORM_SIZE = "platform-size"  # points on a side
    PLATFORM_SHAPE = "platform-shape"  # lying where the platform shows upright films
    PLATFORM_RATE = "platform-rate"  # pictures a second
    PLATFORM_LENGTH = "platform-length"
    PLATFORM_BYTES = "platform-bytes"
    # decision
    RETURNING = "returning"
    NEAR_COPY = "near-copy"  # it looks like something that was released before it arrived
    CAMPAIGN_UNKNOWN = "campaign-unknown"
    CAMPAIGN_NOT_APPROVED = "campaign-not-approved"
    CAMPAIGN_NOT_CURRENT = "campaign-not-current"
    NO_DEVICE = "no-device"
    REFUSED_BY_APPROVER = "refused-by-approver"
    INTERNAL_FAULT = "internal-fault"  # a defect of ours; fails closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing noticed. `detail` holds numbers and short printable ASCII, safe to show and to log."""

    code: Code
    detail: Mapping[str, str | int] = field(default_factory=dict)


class ScanAnswer(StrEnum):
    """What a malware scanner can say; only CLEAN passes."""

    CLEAN = "clean"
    INFECTED = "infected"
    UNSCANNABLE = "unscannable"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """One scanner's answer about one blob: `signatures` names its set and the set's date, `at` is when it looked."""

    answer: ScanAnswer
    scanner: str
    signatures: str = ""
    threat: str = ""
    at: datetime | None = None


class Severity(StrEnum):
    """What a reason does to its item: a note does nothing, a hold waits, a refusal ends it."""

    NOTE = "note"
    HOLD = "hold"
    REFUSE = "refuse"


class WaitingFor(StrEnum):
    """What a held item waits for; only one that waits for approval can be approved."""

    APPROVAL = "approval"
    CAMPAIGN = "campaign"
    SCANNER = "scanner"
    POSTURE = "posture"
    REVIEW = "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule's word on one item: a sentence for people, with the rule and the clauses it serves."""

    rule: str
    clauses: tuple[str, ...]
    severity: Severity
    message: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the policy says: refused if any reason refuses, else held, waiting for `waiting_for`.

    `reviews` are the findings that a person has to clear by a signed review before it can wait for approval.
    """

    refused: bool
    waiting_for: WaitingFor | None
    reasons: tuple[Reason, ...]
    policy_name: str
    policy_sha256: str
    reviews: tuple[Code, ...] = ()
