"""A site's overlay on a policy: it may tighten, never loosen, and every attempt is named. Pure but for the messages.

Stricter means: a smaller limit, fewer formats, more markings, more signatures from fewer roles for a shorter time, a
scan that is required, younger signatures, films encoded anew or decoded in full, an answer higher up in
note < hold < refuse. How long things are kept, how
finely pictures are written and what the platform takes is neither stricter nor laxer: an overlay sets it freely. The
same holds for what only the site can say of itself: which of its labels mean PUBLIC, and its own official addresses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel

from transfer.errors import Misuse
from transfer.model.recipe import Decode, Films, Recipe
from transfer.policy.decide import DEFAULT_RULE
from transfer.policy.document import in_order, platform_of
from transfer.policy.likeness import tightened
from transfer.policy.overlay_document import OverlayPolicy
from transfer.policy.personal import labels_of, personal_of
from transfer.policy.rules import STRICTNESS, Approval, Malware, Markings, Policy, Rule, ScanDemand
from transfer.strict_toml import Document

Element = TypeVar("Element")


def tighten(base: Policy, overlay: OverlayPolicy, document: Document) -> Policy:
    """The base as the overlay tightens it. Raises Misuse with the line of the first thing that would loosen it."""
    check = _Checker(base, document)
    limits = _given(overlay.limits)
    for key, value in limits.items():
        before = base.hash_limit_bytes if key == "hash_bytes" else getattr(base.limits, key)
        check.at_most(("limits", key), value, before)
    hash_limit = limits.pop("hash_bytes", base.hash_limit_bytes)
    formats = overlay.media.formats if overlay.media is not None else base.formats
    check.subset(("media", "formats"), formats, base.formats)
    return dataclasses.replace(
        base,
        name=overlay.name,
        title=overlay.title or f"{base.title}, tightened here",
        derived_from=(base.name, *base.derived_from),
        limits=dataclasses.replace(base.limits, **limits),
        hash_limit_bytes=hash_limit,
        formats=in_order(formats),
        markings=_markings(base.markings, overlay),
        labels=labels_of(overlay.labels, document, base=base.labels),
        personal=personal_of(overlay.personal, base=base.personal),
        read_pictures=_read_pictures(base, overlay, check),
        approval=_approval(base.approval, overlay, check),
        stop_when_exposed=_stop_when_exposed(base, overlay, check),
        malware=_malware(base.malware, overlay, check),
        recipe=_recipe(base.recipe, overlay, check),
        retention=dataclasses.replace(base.retention, **_given(overlay.retention)),
        rules=_rules(base, overlay, check, document),
        platform=platform_of(overlay.platform) or base.platform,
        comparison=tightened(base.comparison, overlay.returning, check),
    )


class _Checker:
    """Says which value would loosen which policy, and where it stands."""

    def __init__(self, base: Policy, document: Document) -> None:
        self._base = base
        self._document = document

    def refuse(self, path: tuple[str | int, ...], said: str) -> Misuse:
        return Misuse(
            f"{self._document.place(path)}: {said} An overlay may tighten a policy, never loosen it.",
            advice="Take it out. If the site really needs it, its officer writes a whole policy of its own "
            "(policies/README.md says how), which then answers for itself.",
        )

    def at_most(self, path: tuple[str, str], value: int, before: int) -> None:
        if value > before:
            raise self.refuse(
                path, f"`{'.'.join(path)}` is {value:,}, more than the {before:,} of «{self._base.name}»."
            )

    def at_least(self, path: tuple[str, str], value: int, before: int) -> None:
        if value < before:
            raise self.refuse(
                path, f"`{'.'.join(path)}` is {value:,}, less than the {before:,} of «{self._base.name}»."
            )

    def subset(self, path: tuple[str, str], values: Iterable[Element], before: tuple[Element, ...]) -> None:
        for value in values:
            if value not in before:
                raise self.refuse(path, f"`{'.'.join(path)}` adds {value!s}, which «{self._base.name}» does not allow.")


def _given(table: BaseModel) -> dict[str, int]:
    return {key: value for key, value in table.model_dump().items() if value is not None}


def _markings(base: Markings, overlay: OverlayPolicy) -> Markings:
    return Markings(
        any_case=tuple(dict.fromkeys((*base.any_case, *overlay.markings.any_case))),
        capitals=tuple(dict.fromkeys((*base.capitals, *overlay.markings.capitals))),
    )


def _read_pictures(base: Policy, overlay: OverlayPolicy, check: _Checker) -> bool:
    if base.read_pictures and "read_text" in overlay.pictures.model_fields_set and not overlay.pictures.read_text:
        raise check.refuse(("pictures", "read_text"), "`pictures.read_text` would leave words in pictures unread.")
    return base.read_pictures or overlay.pictures.read_text


def _approval(base: Approval, overlay: OverlayPolicy, check: _Checker) -> Approval:
    change = overlay.approval
    quorum = change.quorum if change.quorum is not None else base.quorum
    valid_days = change.valid_days if change.valid_days is not None else base.valid_days
    roles = change.roles if change.roles is not None else base.roles
    check.at_least(("approval", "quorum"), quorum, base.quorum)
    check.at_most(("approval", "valid_days"), valid_days, base.valid_days)
    check.subset(("approval", "roles"), roles, base.roles)
    if base.four_eyes and change.four_eyes is False:
        raise check.refuse(("approval", "four_eyes"), "`approval.four_eyes` would let people approve their own files.")
    return Approval(
        quorum=quorum, four_eyes=base.four_eyes or bool(change.four_eyes), valid_days=valid_days, roles=roles
    )


def _stop_when_exposed(base: Policy, overlay: OverlayPolicy, check: _Checker) -> bool:
    change = overlay.release
    if base.stop_when_exposed and not change.stop_when_exposed:
        raise check.refuse(
            ("release", "stop_when_exposed"),
            "`release.stop_when_exposed` would let files go where others can change them.",
        )
    return base.stop_when_exposed or ("stop_when_exposed" in change.model_fields_set and change.stop_when_exposed)


def _malware(base: Malware, overlay: OverlayPolicy, check: _Checker) -> Malware:
    change = overlay.malware
    age = base.max_signature_age_days
    if change.max_signature_age_days is not None:
        age = change.max_signature_age_days
        check.at_most(("malware", "max_signature_age_days"), age, base.max_signature_age_days)
    if base.scan is ScanDemand.REQUIRED and change.scan is ScanDemand.WHEN_AVAILABLE:
        raise check.refuse(("malware", "scan"), "`malware.scan` would let files pass that no scanner has seen.")
    return Malware(scan=change.scan or base.scan, max_signature_age_days=age)


def _recipe(base: Recipe, overlay: OverlayPolicy, check: _Checker) -> Recipe:
    change = overlay.rebuild
    if base.films is Films.ENCODE and change.films is Films.COPY:
        raise check.refuse(("rebuild", "films"), "`rebuild.films` would keep packets as somebody else wrote them.")
    if base.decode is Decode.ALL and change.decode is Decode.SAMPLE:
        raise check.refuse(("rebuild", "decode"), "`rebuild.decode` would let pictures pass that nobody decoded.")
    return Recipe(
        quality=change.jpeg_quality or base.quality,
        colour=change.colour or base.colour,
        films=change.films or base.films,
        decode=change.decode or base.decode,
    )


def _rules(base: Policy, overlay: OverlayPolicy, check: _Checker, document: Document) -> tuple[Rule, ...]:
    """The overlay's rules take their findings over from the base's; a base rule left with none is gone."""
    added = tuple(table.rule() for table in overlay.rules)
    taken = {code for rule in added for code in rule.on}
    left = tuple(
        dataclasses.replace(rule, on=tuple(code for code in rule.on if code not in taken)) for rule in base.rules
    )
    left = tuple(rule for rule in left if rule.on)
    for number, rule in enumerate(added):
        for code in rule.on:
            before = base.rule_for(code)
            if (said := _looser(rule, before)) is not None:
                raise check.refuse(("rule", number, "then"), f"The rule «{rule.id}» answers «{code.value}» {said}.")
        if any(rule.id == kept.id for kept in left):
            raise Misuse(
                f"{document.place(('rule', number, 'id'))}: «{base.name}» has a rule «{rule.id}» too, about more "
                "findings than this one.",
                advice="Give this rule another id, or name all the findings of the other in its `on`.",
            )
    return (*left, *added)


def _looser(rule: Rule, before: Rule | None) -> str | None:
    if before is None:
        return None if rule.then == "refuse" else f"with {rule.then}, where {DEFAULT_RULE} refuses"
    if STRICTNESS[rule.severity] < STRICTNESS[before.severity]:
        return f"with {rule.then}, where «{before.id}» says {before.then}"
    if rule.severity is before.severity and rule.waiting_for is not before.waiting_for:
        return f"with {rule.then}, which is another wait than {before.then} of «{before.id}», not a stricter one"
    return None
