"""The shape of an overlay: a site's own word on a policy that comes with the program.

What enters: a parsed TOML document that has `extends`. What leaves: frozen tables in which everything may be left out;
whether what is said tightens the base is for `policy.overlay` to check.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from transfer.policy.document import (
    ColourWord,
    Days,
    DecodeWord,
    Demand,
    FilmsWord,
    MarkingsTable,
    MediaTable,
    PlatformTable,
    PolicyName,
    Positive,
    ReleaseTable,
    Roles,
    RuleTable,
    Title,
)
from transfer.policy.likeness import ReturnChange
from transfer.policy.personal import LabelTable, PersonalTable, PicturesTable
from transfer.setting_values import ByteSize
from transfer.strict_toml import StrictModel


class LimitsChange(StrictModel):
    """`[limits]` of an overlay: smaller ones."""

    image_bytes: ByteSize | None = None
    video_bytes: ByteSize | None = None
    text_bytes: ByteSize | None = None
    hash_bytes: ByteSize | None = None
    pixels: Positive | None = None
    total_pixels: Positive | None = None
    side: Positive | None = None
    frames: Positive | None = None
    seconds: Positive | None = None
    streams: Positive | None = None
    characters: Positive | None = None


class ApprovalChange(StrictModel):
    """`[approval]` of an overlay: more signatures, for a shorter time, from fewer roles."""

    quorum: Annotated[int, Field(ge=1, le=10)] | None = None
    four_eyes: bool | None = None
    valid_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    roles: Roles | None = None


class MalwareChange(StrictModel):
    """`[malware]` of an overlay: a scan required, younger signatures."""

    scan: Demand | None = None
    max_signature_age_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class RebuildChange(StrictModel):
    """`[rebuild]` of an overlay: films encoded anew, decoded in full."""

    jpeg_quality: Annotated[int, Field(ge=50, le=100)] | None = None
    colour: ColourWord | None = None
    films: FilmsWord | None = None
    decode: DecodeWord | None = None


class RetentionChange(StrictModel):
    """`[retention]` of an overlay."""

    raw_days: Days | None = None
    clean_days: Days | None = None
    refused_days: Days | None = None
    aside_days: Days | None = None
    feedback_days: Days | None = None
    unapproved_days: Annotated[int, Field(ge=1, le=36_500)] | None = None


class OverlayPolicy(StrictModel):
    """A site's own word on a shipped policy. Marks and rules are added to those of the base."""

    name: PolicyName
    extends: PolicyName
    title: Title | None = None
    limits: LimitsChange = LimitsChange()
    media: MediaTable | None = None
    markings: MarkingsTable = MarkingsTable()
    labels: Annotated[tuple[LabelTable, ...], Field(alias="label", strict=False)] = ()
    personal: PersonalTable = PersonalTable()
    pictures: PicturesTable = PicturesTable()
    approval: ApprovalChange = ApprovalChange()
    malware: MalwareChange = MalwareChange()
    rebuild: RebuildChange = RebuildChange()
    retention: RetentionChange = RetentionChange()
    release: ReleaseTable = ReleaseTable()
    platform: PlatformTable | None = None
    returning: Annotated[ReturnChange, Field(alias="return")] = ReturnChange()
    rules: Annotated[tuple[RuleTable, ...], Field(alias="rule", strict=False)] = ()
