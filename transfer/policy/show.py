"""A policy told to an information-security officer: all of it, one rule of it, or how it came out of its file. Pure.

What enters: a policy in force. What leaves: plain text for the terminal, and plain values for `--json`.
"""

from __future__ import annotations

import textwrap

from transfer.errors import NotSo
from transfer.model.events import Json
from transfer.model.findings import Code, Reason, Severity
from transfer.model.recipe import Colour, Decode, Films, Recipe
from transfer.model.search import Label
from transfer.model.spelling import nearest
from transfer.policy.canonical import effective
from transfer.policy.clauses import CLAUSES, cite
from transfer.policy.decide import APPROVAL_RULE, DEFAULT_RULE, NOT_ASKED_RULE
from transfer.policy.explain import Story, explain
from transfer.policy.likeness import shown
from transfer.policy.rules import Personal, Platform, Policy, Rule, ScanDemand
from transfer.policy.wording import fill, limit_words, say_bytes, say_seconds

_BUILT_IN = {
    DEFAULT_RULE: "Whatever the gateway notices that no rule names is refused. This is built in.",
    APPROVAL_RULE: "Whatever is not refused waits for signatures, as [approval] of the policy says. This is built in.",
    NOT_ASKED_RULE: "A file that no scanner was even asked about is refused. This is built in.",
}


def show_policy(policy: Policy) -> str:
    """Everything the policy does, rule by rule with clauses."""
    lines = [*_title(policy), "", "Limits", *_limits(policy), "", "Demands", *_demands(policy), "", "Rules"]
    for severity in (Severity.REFUSE, Severity.HOLD, Severity.NOTE):
        for rule in sorted(policy.rules, key=lambda rule: rule.id):
            then = _then(policy, rule)
            if then.startswith(severity.value):
                lines.append(f"  {then:<14} {rule.id} [{cite(rule.clauses)}]")
                lines.append(f"                 on {', '.join(code.value for code in rule.on)}")
    lines.append(f"  {'refuse':<14} {DEFAULT_RULE} [G5, G6]")
    uncovered = uncovered_codes(policy)
    named = f": {', '.join(code.value for code in uncovered)}" if uncovered else ""
    lines.append(f"                 on everything that no rule names{named}")
    return "\n".join(lines) + "\n"


def explain_rule(policy: Policy, name: str) -> str:
    """One rule, by its id or by a finding that it is about. Raises NotSo if there is neither, with the nearest."""
    rule = next((rule for rule in policy.rules if rule.id == name), None)
    if rule is None and name in set(Code):
        rule = policy.rule_for(Code(name))
        if rule is None:
            return f"No rule of «{policy.name}» is about {name}, so it is refused ({DEFAULT_RULE}).\n"
    if rule is None and name in _BUILT_IN:
        return f"{name}: {_BUILT_IN[name]}\n"
    if rule is None:
        near = nearest(name, [*(rule.id for rule in policy.rules), *(code.value for code in Code)])
        raise NotSo(
            f"«{policy.name}» has no rule {name!a}, and there is no such finding.",
            advice=f"Did you mean `{near}`?" if near else "`transfer policy show` lists them.",
        )
    return "\n".join(_rule_lines(policy, rule)) + "\n"


def explain_item(policy: Policy, story: Story) -> str:
    """What became of one item, as staff are told it, followed by the rules and clauses behind it."""
    _heading, text = explain(story)
    ids = list(dict.fromkeys(reason.rule for reason in story.reasons))
    known = {rule.id: rule for rule in policy.rules}
    parts = [text]
    for name in ids:
        if name in known:
            parts.append("\n".join(_rule_lines(policy, known[name])) + "\n")
        elif name in _BUILT_IN:
            parts.append(f"{name}: {_BUILT_IN[name]}\n")
        else:
            parts.append(
                f"{name}: the policy in force has no such rule any more; the log holds the one that decided.\n"
            )
    return "\n".join(parts)


def summarise(policy: Policy) -> str:
    """What `transfer policy check` says of a policy that loads."""
    uncovered = uncovered_codes(policy)
    rest = (
        f"{len(uncovered)} findings have no rule and are refused: {', '.join(code.value for code in uncovered)}."
        if uncovered
        else "Every finding has a rule."
    )
    return "\n".join([*_title(policy), f"{len(policy.rules)} rules, each with a clause. {rest}"]) + "\n"


def uncovered_codes(policy: Policy) -> tuple[Code, ...]:
    """The findings that no rule names; they refuse."""
    return tuple(code for code in Code if policy.rule_for(code) is None)


def policy_facts(policy: Policy) -> dict[str, Json]:
    """The policy for `--json`: name, digest, what it derives from, and everything that it does."""
    return {
        "name": policy.name,
        "title": policy.title,
        "derived_from": list(policy.derived_from),
        "sha256": policy.sha256,
        "refused_by_default": [code.value for code in uncovered_codes(policy)],
        "policy": effective(policy),
    }


def reason_facts(reason: Reason) -> dict[str, Json]:
    """One reason for `--json`; `clause` names all clauses in one string."""
    return {
        "rule": reason.rule,
        "clause": cite(reason.clauses),
        "severity": reason.severity.value,
        "message": reason.message,
        "advice": reason.advice,
    }


def _title(policy: Policy) -> list[str]:
    origin = f", made from {' and '.join(policy.derived_from)}" if policy.derived_from else ", which stands alone"
    lines = [f"{policy.name}: {policy.title}", f"policy «{policy.name}»{origin}", f"sha256 {policy.sha256}"]
    if policy.malware.scan is ScanDemand.WHEN_AVAILABLE:
        lines.append("Caution: files go on without a malware scan where no scanner answers. For first tries only.")
    return lines


def _limits(policy: Policy) -> list[str]:
    limits = policy.limits
    return [
        f"  pictures       {say_bytes(limits.image_bytes)}, {limits.pixels:,} points, {limits.side:,} on a side",
        f"  animations     {limits.frames:,} pictures, {limits.total_pixels:,} points in all of them",
        f"  films          {say_bytes(limits.video_bytes)}, {say_seconds(limits.seconds)}, {limits.streams} tracks",
        f"  texts          {say_bytes(limits.text_bytes)}, {limits.characters:,} characters",
        f"  formats        {', '.join(format_.value for format_ in policy.formats)}",
    ]


def _demands(policy: Policy) -> list[str]:
    approval, malware, kept = policy.approval, policy.malware, policy.retention
    stops = "stops" if policy.stop_when_exposed else "goes on"
    eyes = "never by who dropped it" if approval.four_eyes else "also by who dropped it"
    kept_for = ", ".join(
        f"{what} {days} days"
        for what, days in (
            ("originals", kept.raw_days),
            ("clean copies", kept.clean_days),
            ("refused files", kept.refused_days),
            ("things set aside", kept.aside_days),
            ("feedback", kept.feedback_days),
        )
    )
    return [
        f"  approval       by {approval.quorum} ({', '.join(approval.roles)}), {eyes}",
        f"                 an approval is good for {approval.valid_days} days",
        f"  malware scan   {malware.scan.value}, signatures at most {malware.max_signature_age_days} days old",
        f"  markings       in any case: {', '.join(policy.markings.any_case) or 'none'}",
        f"                 in capitals: {', '.join(policy.markings.capitals) or 'none'}",
        *_labels(policy.labels),
        *_personal(policy.personal),
        f"  pictures       words in them are {'read and searched' if policy.read_pictures else 'not read'}",
        *_recipe(policy.recipe),
        f"  release        {stops} while more people reach the device's folder in OneDrive than may",
        *_platform(policy.platform),
        *shown(policy.comparison),
        f"  kept for       {kept_for}",
        f"                 a file that nobody approves expires after {kept.unapproved_days} days",
    ]


def _labels(labels: tuple[Label, ...]) -> list[str]:
    lines = [
        f"  {'labels' if not number else '':<14} {label.name} ({label.guid}): {'public' if label.public else 'refused'}"
        for number, label in enumerate(labels)
    ]
    return lines or ["  labels         whatever sensitivity label a file carries, it is refused"]


def _recipe(recipe: Recipe) -> list[str]:
    colour = "as they came" if recipe.colour is Colour.KEEP else "sRGB"
    films = "their packets are copied" if recipe.films is Films.COPY else "encoded anew"
    decoded = "some of it is decoded" if recipe.decode is Decode.SAMPLE else "all of it is decoded"
    return [
        f"  made anew      pictures with quality {recipe.quality}, colours {colour}",
        f"                 films: {films}, {decoded}",
    ]


def _personal(personal: Personal) -> list[str]:
    kinds = [kind.value for kind in personal.kinds] + ["student-number"] * bool(personal.student_numbers)
    return [
        f"  personal data  {', '.join(kinds) or 'not looked for'}",
        *([f"                 telephones of {', '.join(personal.regions)}"] if personal.regions else []),
        *([f"                 identifiers of {', '.join(personal.countries)}"] if personal.countries else []),
        *([f"                 but not {', '.join(personal.allowed)}"] if personal.allowed else []),
    ]


def _platform(platform: Platform | None) -> list[str]:
    if platform is None:
        return []
    return [
        f"  {platform.name:<14} (for advice) takes {', '.join(form.value for form in platform.formats)}",
        f"                 {', '.join(platform.codecs)}; {platform.least_rate} to {platform.most_rate} a second",
        f"                 {platform.least_side:,} to {platform.most_side:,} points on a side",
        f"                 films {say_seconds(platform.seconds)} and {say_bytes(platform.video_bytes)}",
        f"                 pictures {say_bytes(platform.image_bytes)}",
    ]


def _then(policy: Policy, rule: Rule) -> str:
    """The rule's answer as it takes effect: the malware demand may make a note of a hold."""
    waits = rule.severity is Severity.HOLD and Code.MALWARE_SCANNER_UNAVAILABLE in rule.on
    return "note" if waits and policy.malware.scan is ScanDemand.WHEN_AVAILABLE else rule.then


def _rule_lines(policy: Policy, rule: Rule) -> list[str]:
    known = limit_words(policy.limits, policy.formats)
    lines = [f"{rule.id}: {_then(policy, rule)} on {', '.join(code.value for code in rule.on)}"]
    for label, text in (("says", rule.message), ("advises", rule.advice)):
        lines.append(
            textwrap.fill(fill(text, {}, known), 100, initial_indent=f"  {label:<9}", subsequent_indent=" " * 11)
        )
    lines.extend(f"  {clause:<9}{CLAUSES[clause].title}" for clause in rule.clauses if clause in CLAUSES)
    return lines
