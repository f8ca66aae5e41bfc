"""From a policy file to the policy in force: reads, resolves what it extends, checks the rules against each other.

What enters: `policy.toml` of a workspace, and the policies that come with the program. What leaves: one sealed
`Policy`, or `Misuse` with the file, the line and what to write instead. The only module of `policy` that reads files.
"""

from __future__ import annotations

import dataclasses
import sysconfig
from pathlib import Path

from transfer.errors import Misuse
from transfer.model.findings import Code, Severity
from transfer.model.limits import MediaLimits
from transfer.model.spelling import nearest
from transfer.policy.canonical import sealed
from transfer.policy.document import VariantPolicy, WholePolicy, in_order, platform_of, recipe_of
from transfer.policy.likeness import comparison_of
from transfer.policy.overlay import tighten
from transfer.policy.overlay_document import OverlayPolicy
from transfer.policy.personal import labels_of, personal_of
from transfer.policy.rules import STRICTNESS, Approval, Malware, Markings, Policy, Retention, Rule, floor
from transfer.strict_toml import Document, read_document

_SUFFIX = ".toml"


def shipped_folder() -> Path:
    """Where the policies that come with the program lie: beside the package in a clone, under `share` when installed.

    Raises Misuse if they are in neither place.
    """
    places = (
        Path(__file__).resolve().parents[2] / "policies",
        Path(sysconfig.get_path("data")) / "share" / "oneway-transfer" / "policies",
    )
    for place in places:
        if (place / "university.toml").is_file():
            return place
    raise Misuse(
        "The policies that come with the program are not there.",
        advice=f"Reinstall it, or put the folder `policies` of a release at {places[0]}.",
    )


def load_policy(path: Path, *, shipped: Path | None = None) -> Policy:
    """The policy in this file. `shipped` is the folder of the policies it may extend. Raises Misuse."""
    document = read_document(path)
    if _is(document, "variant_of"):
        raise Misuse(
            f"{document.place(('variant_of',))}: only a policy that comes with the program can be a variant.",
            advice="Write `extends` and tighten it, or write a whole policy.",
        )
    return sealed(_resolve(document, shipped))


def load_shipped(name: str, *, shipped: Path | None = None) -> Policy:
    """A policy that comes with the program, by its name. Raises Misuse."""
    return sealed(_shipped(name, shipped))


def _shipped(name: str, shipped: Path | None) -> Policy:
    folder = shipped if shipped is not None else shipped_folder()
    known = sorted(path.stem for path in folder.glob(f"*{_SUFFIX}"))
    if name not in known:
        near = nearest(name, known)
        raise Misuse(
            f"No policy called {name!a} comes with the program.",
            advice=f"Did you mean `{near}`?" if near else f"There are: {', '.join(known)}.",
        )
    document = read_document(folder / f"{name}{_SUFFIX}")
    if not _is(document, "variant_of"):
        return _resolve(document, folder)
    variant = document.parse(VariantPolicy)
    base = _shipped(variant.variant_of, folder)
    if base.derived_from or base.name == variant.name:
        raise Misuse(
            f"{document.place(('variant_of',))}: a variant is made of a whole policy.", advice="Name another one."
        )
    return dataclasses.replace(
        base,
        name=variant.name,
        title=variant.title,
        derived_from=(base.name,),
        malware=dataclasses.replace(base.malware, scan=variant.malware.scan),
    )


def _is(document: Document, key: str) -> bool:
    """Whether the file has this key at its top, or one that was meant to be it."""
    return any(nearest(found, [key]) == key for found in document.values)


def _resolve(document: Document, shipped: Path | None) -> Policy:
    if _is(document, "extends"):
        overlay = document.parse(OverlayPolicy)
        _check_rules(tuple(table.rule() for table in overlay.rules), document)
        try:
            base = _shipped(overlay.extends, shipped)
        except Misuse as error:
            sentence = f"{document.place(('extends',))}: {error.sentence}"
            raise Misuse(sentence, advice=error.advice) from error
        return tighten(base, overlay, document)
    return _whole(document)


def _whole(document: Document) -> Policy:
    whole = document.parse(WholePolicy)
    rules = tuple(table.rule() for table in whole.rules)
    _check_rules(rules, document)
    limits = whole.limits.model_dump()
    hash_limit = limits.pop("hash_bytes")
    return Policy(
        name=whole.name,
        title=whole.title,
        derived_from=(),
        limits=MediaLimits(**limits),
        hash_limit_bytes=hash_limit,
        formats=in_order(whole.media.formats),
        markings=Markings(any_case=whole.markings.any_case, capitals=whole.markings.capitals),
        labels=labels_of(whole.labels, document),
        personal=personal_of(whole.personal),
        read_pictures=whole.pictures.read_text,
        approval=Approval(**whole.approval.model_dump()),
        stop_when_exposed=whole.release.stop_when_exposed,
        malware=Malware(**whole.malware.model_dump()),
        recipe=recipe_of(whole.rebuild),
        retention=Retention(**whole.retention.model_dump()),
        rules=rules,
        platform=platform_of(whole.platform),
        comparison=comparison_of(whole.returning),
    )


def _check_rules(rules: tuple[Rule, ...], document: Document) -> None:
    """Raises Misuse if two rules have one name or one finding, or a rule makes less of a finding than any may."""
    ids: dict[str, int] = {}
    codes: dict[Code, Rule] = {}
    for number, rule in enumerate(rules):
        if rule.id in ids:
            raise Misuse(
                f"{document.place(('rule', number, 'id'))}: there is a rule «{rule.id}» already, at "
                f"{document.place(('rule', ids[rule.id]))}.",
                advice="Give each rule an id of its own.",
            )
        ids[rule.id] = number
        for code in rule.on:
            if code in codes:
                raise Misuse(
                    f"{document.place(('rule', number, 'on'))}: the rules «{codes[code].id}» and «{rule.id}» are both "
                    f"about «{code.value}».",
                    advice="Name each finding in one rule only, so that there is one answer to it.",
                )
            codes[code] = rule
            _check_floor(rule, code, document.place(("rule", number, "then")))


def _check_floor(rule: Rule, code: Code, place: str) -> None:
    least = floor(code)
    if STRICTNESS[rule.severity] < STRICTNESS[least]:
        demanded = "refuse" if least is Severity.REFUSE else "hold or refuse"
        raise Misuse(
            f"{place}: «{rule.id}» answers «{code.value}» with {rule.then}; every policy has to {demanded} it.",
            advice="The promises of the gateway rest on this; no policy can take it back.",
        )


def render_site_policy(extends: str) -> str:
    """The text of a new workspace's `policy.toml`: an overlay on this shipped policy that changes nothing yet."""
    return _SITE.format(extends=extends)


_SITE = """\
# The policy in force for this workspace. `transfer policy show` prints all of it, rule by rule.
# It begins as a policy that comes with the program, and may be tightened here, never loosened: smaller limits, fewer
# formats, more markings, more signatures, sterner rules. policies/README.md explains how.

name = "site"
extends = "{extends}"

# [limits]
# video_bytes = "1 GB"
#
# [markings]
# any_case = ["FOR STAFF ONLY"]
#
# [approval]
# quorum = 2
#
# [[rule]]                      # takes the finding over from the rule that has it there
# id = "no-places"
# clauses = ["G6"]
# on = ["location"]
# then = "refuse"
# message = "The file says where it was taken."
# advice = "Turn location off in the camera, take the place out of the file, and drop it again."
"""
