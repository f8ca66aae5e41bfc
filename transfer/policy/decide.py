"""The verdict on one file: pure and total. Whatever the evidence and whatever the policy, there is an answer, and the
answer to a doubt is no.

What enters: evidence gathered by stations that do not trust the file, and the policy in force. What leaves: refused,
or held with what it waits for; nothing is ever released here, only found worthy of a person's signature.

Three things hold under every policy, however it is written: a code without a rule refuses; no rule can make less of a
code than `rules.floor` says; more findings never make the verdict milder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from transfer.model.findings import Code, Finding, Reason, ScanAnswer, Severity, Verdict, WaitingFor
from transfer.model.limits import MediaLimits
from transfer.model.marks import find_marks
from transfer.model.media import Family, MediaFacts
from transfer.policy.fitness import unfitness
from transfer.policy.rules import STRICTNESS, CampaignStanding, Evidence, Policy, Rule, ScanDemand, floor
from transfer.policy.wording import fill, limit_words

DEFAULT_RULE = "default-refuse"
APPROVAL_RULE = "approval"
NOT_ASKED_RULE = "nothing-scanned"
RESERVED_RULES = frozenset({DEFAULT_RULE, APPROVAL_RULE, NOT_ASKED_RULE})

# What a held item is said to wait for when it waits for several things: what people can do least about comes first.
_PRECEDENCE = (
    WaitingFor.SCANNER,
    WaitingFor.CAMPAIGN,
    WaitingFor.POSTURE,
    WaitingFor.REVIEW,
    WaitingFor.APPROVAL,
)
_CLEARED = "A person has looked at this and signed that it may go on to approval."
_ABOUT_WAYS_BACK = frozenset(
    {
        Code.NAME_NOT_ALLOWED,
        Code.NOT_A_FILE,
        Code.TEXT_IS_PROGRAM,
        Code.SECOND_FILE,
        Code.ATTACHMENT,
        Code.TIKTOK_MARK,
        Code.RETURNING,
        Code.NEAR_COPY,
    }
)
_NATURAL_WAIT: Mapping[Code, WaitingFor] = MappingProxyType(
    {
        Code.OUTSIDE_CAMPAIGN: WaitingFor.CAMPAIGN,
        Code.CAMPAIGN_UNKNOWN: WaitingFor.CAMPAIGN,
        Code.CAMPAIGN_NOT_APPROVED: WaitingFor.CAMPAIGN,
        Code.CAMPAIGN_NOT_CURRENT: WaitingFor.CAMPAIGN,
        Code.NO_DEVICE: WaitingFor.POSTURE,
        Code.MALWARE_UNSCANNABLE: WaitingFor.SCANNER,
        Code.MALWARE_SCANNER_UNAVAILABLE: WaitingFor.SCANNER,
    }
)
_STANDING: Mapping[CampaignStanding, Code] = MappingProxyType(
    {
        CampaignStanding.UNKNOWN: Code.CAMPAIGN_UNKNOWN,
        CampaignStanding.NOT_APPROVED: Code.CAMPAIGN_NOT_APPROVED,
        CampaignStanding.NOT_CURRENT: Code.CAMPAIGN_NOT_CURRENT,
    }
)
_SCANNED: Mapping[ScanAnswer, Code] = MappingProxyType(
    {
        ScanAnswer.INFECTED: Code.MALWARE,
        ScanAnswer.UNSCANNABLE: Code.MALWARE_UNSCANNABLE,
        ScanAnswer.UNAVAILABLE: Code.MALWARE_SCANNER_UNAVAILABLE,
    }
)


@dataclass(frozen=True, slots=True)
class _Word:
    """A reason with what the verdict needs to know of it besides."""

    reason: Reason
    waiting_for: WaitingFor | None
    code: Code

    @property
    def order(self) -> tuple[int, int, str, str]:
        wait = _PRECEDENCE.index(self.waiting_for) if self.waiting_for is not None else 0
        return (-STRICTNESS[self.reason.severity], wait, self.reason.rule, self.reason.message)


def decide(evidence: Evidence, policy: Policy) -> Verdict:
    """The verdict, with every reason for it: refusals first, then what it waits for, then what is merely noted."""
    words = [_word(finding, policy, evidence.cleared) for finding in _all_findings(evidence, policy)]
    if not any(word.reason.severity is Severity.REFUSE for word in words):
        words.extend(_nothing_to_judge(evidence, policy))
    if not any(word.reason.severity is Severity.REFUSE for word in words) and evidence.media is not None:
        advice = unfitness(evidence.media, evidence.size, policy.platform)  # of no use to whoever has to start over
        words.extend(_word(finding, policy) for finding in advice)
    refused = any(word.reason.severity is Severity.REFUSE for word in words)
    waits = [word.waiting_for for word in words if word.reason.severity is Severity.HOLD and word.waiting_for]
    waiting_for = None if refused else min(waits, key=_PRECEDENCE.index, default=WaitingFor.APPROVAL)
    reasons = [word.reason for word in sorted(_said_once(words), key=lambda word: word.order)]
    if waiting_for is WaitingFor.APPROVAL:
        reasons.insert(sum(reason.severity is Severity.HOLD for reason in reasons), _awaits_approval(policy))
    return Verdict(
        refused=refused,
        waiting_for=waiting_for,
        reasons=tuple(reasons),
        policy_name=policy.name,
        policy_sha256=policy.sha256,
        reviews=() if refused else _reviews(words),
    )


def _reviews(words: list[_Word]) -> tuple[Code, ...]:
    """What a person has to clear, in the order in which the codes are declared."""
    found = {word.code for word in words if _to_review(word, word.code)}
    return tuple(code for code in Code if code in found) if found else ()


def _to_review(word: _Word, code: Code) -> bool:
    """Whether a person has to clear this code. What waits by its nature for something else, that alone can clear."""
    holds = word.reason.severity is Severity.HOLD and word.waiting_for is WaitingFor.REVIEW
    return holds and word.code is code and code not in _NATURAL_WAIT


def to_be_cleared(findings: Iterable[Finding], policy: Policy) -> frozenset[Code]:
    """Those of these findings that the policy puts before a person, whoever has cleared them."""
    return frozenset(finding.code for finding in findings if _to_review(_word(finding, policy), finding.code))


def _all_findings(evidence: Evidence, policy: Policy) -> Iterator[Finding]:
    yield from evidence.findings
    if evidence.returning:
        yield Finding(code=Code.RETURNING)
    if evidence.campaign in _STANDING:
        yield Finding(code=_STANDING[evidence.campaign])
    for scan in evidence.scans:
        if scan.answer in _SCANNED:
            yield Finding(code=_SCANNED[scan.answer], detail={"threat": scan.threat} if scan.threat else {})
    for text in (evidence.name, evidence.post):
        for mark in find_marks(str(text), policy.marks, names=True) if text is not None else ():
            yield Finding(code=Code.MARKING, detail={"mark": mark, "where": "name"})
    if evidence.media is not None:
        yield from _against_limits(evidence.media, policy.limits)
        if evidence.media.format not in policy.formats:
            yield Finding(code=Code.TYPE_UNKNOWN, detail={"content": evidence.media.format.value})


def _against_limits(media: MediaFacts, limits: MediaLimits) -> Iterator[Finding]:
    """The sandbox child checked these before decoding; its word is not taken for it."""
    pixels = media.width * media.height
    if pixels > limits.pixels or max(media.width, media.height) > limits.side:
        yield Finding(code=Code.TOO_MANY_PIXELS, detail={"width": media.width, "height": media.height})
    if media.format.family is Family.IMAGE and media.frames > limits.frames:
        yield Finding(code=Code.TOO_MANY_FRAMES, detail={"frames": media.frames})
    if media.duration_ms // 1000 > limits.seconds:
        yield Finding(code=Code.TOO_LONG, detail={"seconds": media.duration_ms // 1000})
    if len(media.streams) > limits.streams:
        yield Finding(code=Code.TOO_MANY_STREAMS, detail={"streams": len(media.streams)})
    if media.characters > limits.characters:
        yield Finding(code=Code.TEXT_TOO_LONG, detail={"characters": media.characters})


def _word(finding: Finding, policy: Policy, cleared: frozenset[Code] = frozenset()) -> _Word:
    rule = policy.rule_for(finding.code)
    if rule is None:
        return _Word(_default(finding.code), None, finding.code)
    severity = max(rule.severity, floor(finding.code), key=lambda answer: STRICTNESS[answer])
    message, advice = rule.message, rule.advice
    if (
        finding.code is Code.MALWARE_SCANNER_UNAVAILABLE
        and severity is Severity.HOLD
        and policy.malware.scan is ScanDemand.WHEN_AVAILABLE
    ):
        severity = Severity.NOTE
        message = "This file is not scanned for malware: no scanner answered, and the policy goes on without one."
        advice = "Whoever signs should know this. Set up a malware scanner before anything but a first try."
    known = limit_words(policy.limits, policy.formats)
    reason = Reason(
        rule=rule.id,
        clauses=rule.clauses,
        severity=severity,
        message=fill(message, finding.detail, known),
        advice=fill(advice, finding.detail, known),
    )
    word = _Word(reason, _wait(rule, severity, finding.code), finding.code)
    if finding.code in cleared and _to_review(word, finding.code):
        return _Word(replace(reason, severity=Severity.NOTE, advice=_CLEARED), None, finding.code)
    return word


def _wait(rule: Rule, severity: Severity, code: Code) -> WaitingFor | None:
    """What a hold waits for. A wait for approval is no wait of its own: whoever signs would wave it through."""
    if severity is not Severity.HOLD:
        return None
    if rule.waiting_for in {None, WaitingFor.APPROVAL}:
        return _NATURAL_WAIT.get(code, WaitingFor.REVIEW)
    return rule.waiting_for


def _default(code: Code) -> Reason:
    return Reason(
        rule=DEFAULT_RULE,
        clauses=("G5",) if code in _ABOUT_WAYS_BACK else ("G6",),
        severity=Severity.REFUSE,
        message=f"The gateway noticed «{code.value}», and no rule of the policy lets that pass.",
        advice="Ask whoever looks after the gateway what this means for your file.",
    )


def _nothing_to_judge(evidence: Evidence, policy: Policy) -> Iterator[_Word]:
    """An empty policy, an empty examination and an empty scan are not good news."""
    if not policy.rules:
        reason = Reason(
            rule=DEFAULT_RULE,
            clauses=("G10",),
            severity=Severity.REFUSE,
            message="The policy in force has no rules, so nothing may pass.",
            advice="Ask whoever looks after the gateway to restore its policy.",
        )
        yield _Word(reason, None, Code.INTERNAL_FAULT)
    if evidence.media is None:
        yield _word(Finding(code=Code.TYPE_UNKNOWN), policy)
    elif not evidence.scans:
        reason = Reason(
            rule=NOT_ASKED_RULE,
            clauses=("G9",),
            severity=Severity.REFUSE,
            message="No malware scanner was even asked about this file.",
            advice="Ask whoever looks after the gateway to find out why; then drop the file again.",
        )
        yield _Word(reason, None, Code.MALWARE_SCANNER_UNAVAILABLE)


def _said_once(words: list[_Word]) -> list[_Word]:
    """Each sentence once; and who lies outside every campaign need not hear that the campaign is unknown too."""
    outside = any(word.code is Code.OUTSIDE_CAMPAIGN and word.reason.severity is Severity.HOLD for word in words)
    kept: dict[tuple[str, Severity, str], _Word] = {}
    for word in words:
        if outside and word.code is Code.CAMPAIGN_UNKNOWN and word.reason.severity is Severity.HOLD:
            continue
        kept.setdefault((word.reason.rule, word.reason.severity, word.reason.message), word)
    return list(kept.values())


def _awaits_approval(policy: Policy) -> Reason:
    number = policy.approval.quorum
    who = "an approver" if number == 1 else f"{number} approvers"
    other = " other than the person who dropped it" if policy.approval.four_eyes else ""
    return Reason(
        rule=APPROVAL_RULE,
        clauses=("G1", "G6", "G7"),
        severity=Severity.HOLD,
        message=f"It waits for the signature of {who}{other}, who declares it PUBLIC and assesses the risk.",
        advice="There is nothing more for you to do. If it is urgent, tell your approver that it is waiting.",
    )
