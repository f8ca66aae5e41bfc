"""The shape of a policy file: which tables and keys it has, and what each may hold.

What enters: a parsed TOML document from an information-security officer. What leaves: frozen tables whose every word
is known (codes, clauses, formats, answers), or an error that `strict_toml` turns into a sentence with the line.

A policy is one of three kinds: whole (it says everything), an overlay (`extends` another and tightens it, in
`policy.overlay_document`), or a variant (`variant_of` another: it differs in the malware demand and has no words for
anything else).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from transfer.model.findings import Code, Severity, WaitingFor
from transfer.model.media import Format
from transfer.model.recipe import Colour, Decode, Films, Recipe
from transfer.model.spelling import nearest
from transfer.policy.clauses import CLAUSES, require_clause
from transfer.policy.decide import RESERVED_RULES
from transfer.policy.known import one_of
from transfer.policy.likeness import ReturnTable
from transfer.policy.personal import LabelTable, PersonalTable, PicturesTable
from transfer.policy.rules import Platform, Rule, ScanDemand
from transfer.policy.wording import check_template
from transfer.setting_values import ByteSize
from transfer.strict_toml import StrictModel

_HOLDS = {f"hold:{wait.value}": wait for wait in WaitingFor if wait is not WaitingFor.APPROVAL}


def _then(value: str) -> str:
    answers = ["refuse", "note", *_HOLDS]
    if value in answers:
        return value
    if value in {"hold", "hold:approval"}:
        raise ValueError(
            f"{value!a} does not say what is waited for ({', '.join(_HOLDS)}); every release waits for approval anyway"
        )
    near = nearest(value, answers)
    hint = f"; did you mean «{near}»?" if near else ""
    raise ValueError(f"`then` is one of {', '.join(answers)}, not {value!a}{hint}")


def _mark(value: str) -> str:
    if not any(character.isalpha() for character in value) or not value.isprintable() or len(value) > 60:
        raise ValueError(f"a marking is a word or a few words, not {value!a}")
    return value


def in_order(formats: tuple[Format, ...]) -> tuple[Format, ...]:
    """Each format once, in the order of the model, so that the order in a file means nothing."""
    return tuple(format_ for format_ in Format if format_ in formats)


PolicyName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Formats = Annotated[tuple[Annotated[Format, one_of(Format, "format")], ...], Field(min_length=1, strict=False)]
Marks = Annotated[tuple[Annotated[str, AfterValidator(_mark)], ...], Field(strict=False)]
Roles = Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]+$")], ...], Field(min_length=1, strict=False)]
Positive = Annotated[int, Field(ge=1, le=2**53)]
Days = Annotated[int, Field(ge=0, le=36_500)]
ColourWord = Annotated[Colour, one_of(Colour, "colour")]
FilmsWord = Annotated[Films, one_of(Films, "way with films")]
DecodeWord = Annotated[Decode, one_of(Decode, "extent")]
Demand = Annotated[ScanDemand, one_of(ScanDemand, "demand")]


class LimitsTable(StrictModel):
    """`[limits]`."""

    image_bytes: ByteSize
    video_bytes: ByteSize
    text_bytes: ByteSize
    hash_bytes: ByteSize
    pixels: Positive
    total_pixels: Positive
    side: Positive
    frames: Positive
    seconds: Positive
    streams: Positive
    characters: Positive


class MediaTable(StrictModel):
    """`[media]`."""

    formats: Formats


class MarkingsTable(StrictModel):
    """`[markings]`."""

    any_case: Marks = ()
    capitals: Marks = ()


class ApprovalTable(StrictModel):
    """`[approval]`."""

    quorum: Annotated[int, Field(ge=1, le=10)]
    four_eyes: bool
    valid_days: Annotated[int, Field(ge=1, le=3650)]
    roles: Roles


class MalwareTable(StrictModel):
    """`[malware]`."""

    scan: Demand
    max_signature_age_days: Annotated[int, Field(ge=1, le=3650)]


class RebuildTable(StrictModel):
    """`[rebuild]`."""

    jpeg_quality: Annotated[int, Field(ge=50, le=100)]
    colour: ColourWord = Colour.KEEP
    films: FilmsWord = Films.COPY
    decode: DecodeWord = Decode.SAMPLE


class PlatformTable(StrictModel):
    """`[platform]`: what the platform takes that the device posts to."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[ -~]+$")]
    formats: Formats
    codecs: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,24}$")], ...], Field(strict=False)]
    least_side: Positive
    most_side: Positive
    least_rate: Positive
    most_rate: Positive
    seconds: Positive
    image_bytes: ByteSize
    video_bytes: ByteSize
    upright: bool


class RetentionTable(StrictModel):
    """`[retention]`."""

    raw_days: Days
    clean_days: Days
    refused_days: Days
    aside_days: Days
    feedback_days: Days
    unapproved_days: Annotated[int, Field(ge=1, le=36_500)]


class ReleaseTable(StrictModel):
    """`[release]`: whether releasing stops while more people can reach the device's folder than may (G5)."""

    stop_when_exposed: bool = True


class RuleTable(StrictModel):
    """`[[rule]]`."""

    id: PolicyName
    clauses: Annotated[tuple[Annotated[str, AfterValidator(require_clause)], ...], Field(strict=False)] = ()
    on: Annotated[tuple[Annotated[Code, one_of(Code, "finding")], ...], Field(strict=False)]
    then: Annotated[str, AfterValidator(_then)]
    message: Annotated[str, AfterValidator(check_template)]
    advice: Annotated[str, AfterValidator(check_template)]

    @model_validator(mode="after")
    def _whole(self) -> RuleTable:
        if self.id in RESERVED_RULES:
            raise ValueError(f"the name «{self.id}» is the gateway's own; give the rule another id")
        if not self.clauses:
            raise ValueError(
                f"the rule «{self.id}» cites no clause of the guidance, and a rule without one does not load; "
                'add, for example, clauses = ["G6"]'
            )
        if not self.on:
            raise ValueError(f"the rule «{self.id}» is about no finding")
        return self

    def rule(self) -> Rule:
        """The same as a rule of the policy."""
        wait = _HOLDS.get(self.then)
        return Rule(
            id=self.id,
            clauses=tuple(clause for clause in CLAUSES if clause in self.clauses),
            on=tuple(code for code in Code if code in self.on),
            severity=Severity.HOLD if wait is not None else Severity(self.then),
            waiting_for=wait,
            message=self.message,
            advice=self.advice,
        )


class WholePolicy(StrictModel):
    """A policy that says everything."""

    name: PolicyName
    title: Title
    limits: LimitsTable
    media: MediaTable
    markings: MarkingsTable
    labels: Annotated[tuple[LabelTable, ...], Field(alias="label", strict=False)] = ()
    personal: PersonalTable
    pictures: PicturesTable = PicturesTable()
    approval: ApprovalTable
    release: ReleaseTable = ReleaseTable()
    malware: MalwareTable
    rebuild: RebuildTable
    retention: RetentionTable
    platform: PlatformTable | None = None
    returning: Annotated[ReturnTable | None, Field(alias="return")] = None
    rules: Annotated[tuple[RuleTable, ...], Field(alias="rule", min_length=1, strict=False)]


def recipe_of(table: RebuildTable) -> Recipe:
    """The same as a part of the policy."""
    return Recipe(quality=table.jpeg_quality, colour=table.colour, films=table.films, decode=table.decode)


def platform_of(table: PlatformTable | None) -> Platform | None:
    """The same as a part of the policy."""
    if table is None:
        return None
    return Platform(**(table.model_dump() | {"formats": in_order(table.formats), "codecs": table.codecs}))


class VariantMalware(StrictModel):
    """All that a variant can say."""

    scan: Demand


class VariantPolicy(StrictModel):
    """A shipped policy that differs from another in the malware demand."""

    name: PolicyName
    title: Title
    variant_of: PolicyName
    malware: VariantMalware
