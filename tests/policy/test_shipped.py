"""The shipped policies, their handbook, and the digest that names a policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given

from tests.policy.evidence import FIRST_RUN, UNIVERSITY, evidence, evidences
from tests.policy.files import WHOLE, loaded
from transfer.model.findings import Code, ScanAnswer, Severity
from transfer.policy.canonical import effective
from transfer.policy.decide import decide
from transfer.policy.document import RuleTable, WholePolicy
from transfer.policy.rulebook import shipped_folder
from transfer.policy.rules import STRICTNESS, Evidence, Policy, ScanDemand


def test_first_run_differs_in_exactly_one_thing() -> None:
    strict, first = effective(UNIVERSITY), effective(FIRST_RUN)
    assert strict["malware"] == {"scan": "required", "max_signature_age_days": 7}
    assert first["malware"] == {"scan": "when-available", "max_signature_age_days": 7}
    assert {key for key in strict if strict[key] != first[key]} == {"malware"}
    assert strict.keys() == first.keys()


@given(evidences)
def test_first_run_differs_only_where_no_scanner_answers(given_evidence: Evidence) -> None:
    strict, first = decide(given_evidence, UNIVERSITY), decide(given_evidence, FIRST_RUN)
    unanswered = any(scan.answer is ScanAnswer.UNAVAILABLE for scan in given_evidence.scans) or any(
        finding.code is Code.MALWARE_SCANNER_UNAVAILABLE for finding in given_evidence.findings
    )
    assert strict.refused == first.refused
    if not unanswered:
        assert (strict.waiting_for, strict.reasons) == (first.waiting_for, first.reasons)
    elif not first.refused:
        assert any("not scanned for malware" in reason.message for reason in first.reasons)


def test_the_shipped_policy_is_strict() -> None:
    assert UNIVERSITY.malware.scan is ScanDemand.REQUIRED
    assert UNIVERSITY.approval.four_eyes
    assert UNIVERSITY.limits.image_bytes == 50 * 10**6
    assert UNIVERSITY.limits.video_bytes == 4 * 10**9
    assert UNIVERSITY.limits.seconds == 600
    assert UNIVERSITY.limits.pixels <= 100_000_000


@pytest.mark.parametrize("policy", [UNIVERSITY, FIRST_RUN], ids=["university", "first-run"])
def test_every_finding_has_a_rule(policy: Policy) -> None:
    assert {code for rule in policy.rules for code in rule.on} == set(Code)


def test_the_handbook_names_everything_that_a_policy_can_say() -> None:
    handbook = (shipped_folder() / "README.md").read_text()
    for name, field in WholePolicy.model_fields.items():
        key = field.alias or name
        assert any(spelled in handbook for spelled in (f"`{key}`", f"`[{key}]`", f"`[[{key}]]`")), key
        for inner in getattr(field.annotation, "model_fields", {}):
            assert f"`{inner}`" in handbook, inner
    for key in RuleTable.model_fields:
        assert f"`{key}`" in handbook, key
    for code in Code:
        assert f"`{code.value}`" in handbook, code


def test_the_examples_of_the_handbook_load(tmp_path: Path) -> None:
    handbook = (shipped_folder() / "README.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", handbook, re.DOTALL)
    assert examples
    for example in examples:
        assert loaded(tmp_path, example).sha256 != UNIVERSITY.sha256


# --- the digest --------------------------------------------------------------------------------------------------


def test_the_digest_does_not_follow_the_form(tmp_path: Path) -> None:
    blocks = WHOLE.split("[[rule]]")
    turned = "[[rule]]".join([blocks[0], *(block + "\n" for block in reversed(blocks[1:]))])
    respelled = turned.replace('"50 MB"', "50_000_000").replace("100_000_000  ", "100000000 # the same")
    respelled = respelled.replace('["symlink", "hard-link"]', '["hard-link", "symlink"]')
    respelled = respelled.replace('name = "university"', 'name = "other"', 1)
    again = loaded(tmp_path, respelled)
    assert again.sha256 == UNIVERSITY.sha256
    assert decide(evidence(media=None), again).reasons == decide(evidence(media=None), UNIVERSITY).reasons


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('image_bytes = "50 MB"', 'image_bytes = "49 MB"'),
        ("hash_bytes = ", "hash_bytes = 5 #"),
        ('    "video/mp4", ', "    "),
        ('"EMBARGOED"', '"EMBARGO"'),
        ('"DRAFT"', '"SKETCH"'),
        ("quorum = 1", "quorum = 2"),
        ("four_eyes = true", "four_eyes = false"),
        ("valid_days = 30", "valid_days = 31"),
        ("stop_when_exposed = true", "stop_when_exposed = false"),
        ('roles = ["approver"]', 'roles = ["delegate"]'),
        ("max_signature_age_days = 7", "max_signature_age_days = 6"),
        ("jpeg_quality = 95", "jpeg_quality = 94"),
        ('colour = "keep"', 'colour = "srgb"'),
        ('films = "copy"', 'films = "encode"'),
        ('decode = "sample"', 'decode = "all"'),
        ("unapproved_days = 60", "unapproved_days = 61"),
        ('clauses = ["G2"]', 'clauses = ["G2", "G8"]'),
        ('id = "device-enrolled"', 'id = "device"'),
        ('then = "hold:posture"', 'then = "refuse"'),
        ("There is no enrolled device", "There's no enrolled device"),
        ("enrol the device. The", "enrol it. The"),
    ],
)
def test_the_digest_follows_every_change_of_what_it_does(tmp_path: Path, old: str, new: str) -> None:
    assert old in WHOLE
    assert loaded(tmp_path, WHOLE.replace(old, new, 1)).sha256 != UNIVERSITY.sha256


def test_every_severity_occurs_in_the_shipped_policy() -> None:
    assert {rule.severity for rule in UNIVERSITY.rules} == set(Severity) == set(STRICTNESS)
