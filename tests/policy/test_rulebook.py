"""Policy files: what loads, what does not and in which words, and that an overlay can only tighten."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.evidence import FIRST_RUN, UNIVERSITY, evidence, evidences, found, scanned
from transfer.errors import Misuse
from transfer.model.findings import Code, ScanAnswer, Severity, WaitingFor
from transfer.policy.canonical import effective
from transfer.policy.decide import decide
from transfer.policy.document import OverlayPolicy, RuleTable, WholePolicy
from transfer.policy.overlay import tighten
from transfer.policy.rulebook import load_policy, load_shipped, render_site_policy, shipped_folder
from transfer.policy.rules import STRICTNESS, Evidence, Policy, ScanDemand
from transfer.strict_toml import Document

WHOLE = (shipped_folder() / "university.toml").read_text()
OVERLAY = 'name = "site"\nextends = "university"\n'
RULE = """
[[rule]]
id = "{id}"
clauses = ["G6"]
on = ["{on}"]
then = "{then}"
message = "So it is."
advice = "Do this."
"""


def loaded(folder: Path, text: str) -> Policy:
    path = folder / "policy.toml"
    path.write_text(text)
    return load_policy(path)


def misuse(folder: Path, text: str) -> str:
    with pytest.raises(Misuse) as caught:
        loaded(folder, text)
    return str(caught.value)


def with_rule(then: str, on: str, id_: str = "mine", base: str = OVERLAY) -> str:
    return base + RULE.format(id=id_, on=on, then=then)


def line_of(needle: str, text: str = WHOLE) -> int:
    return text[: text.index(needle)].count("\n") + 1


# --- whole policies ----------------------------------------------------------------------------------------------


def test_a_copy_of_the_shipped_policy_is_the_same_policy(tmp_path: Path) -> None:
    assert loaded(tmp_path, WHOLE) == UNIVERSITY


def test_a_site_can_write_a_whole_policy_of_its_own(tmp_path: Path) -> None:
    wide = loaded(tmp_path, WHOLE.replace('video_bytes = "4 GB"', 'video_bytes = "12 GB"'))
    assert wide.limits.video_bytes == 12 * 10**9
    assert wide.derived_from == ()
    assert wide.sha256 != UNIVERSITY.sha256


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('clauses = ["G5"]\non = ["not-a-file"]', 'on = ["not-a-file"]', 'id = "files-only"', "cites no clause"),
        ('clauses = ["G5"]\non = ["not', 'clauses = []\non = ["not', 'id = "files-only"', "cites no clause"),
        ('clauses = ["G2"]', 'clauses = ["G13"]', 'clauses = ["G2"]', "no clause 'G13'"),
        ('on = ["symlink", ', 'on = ["symlnk", ', 'on = ["symlink"', "did you mean «symlink»?"),
        ('then = "hold:scanner"', 'then = "hold:scaner"', 'then = "hold:scanner"', "did you mean «hold:scanner»?"),
        ('then = "hold:scanner"', 'then = "hold:approval"', 'then = "hold:scanner"', "waits for approval anyway"),
        ("quorum = 1", "quorom = 1", "quorum = 1", "Did you mean `quorum`?"),
        ("quorum = 1", "quorum = 0", "quorum = 1", "approval.quorum"),
        ("quorum = 1", "quorum = true", "quorum = 1", "approval.quorum"),
        ("[markings]", "[marking]", "[markings]", "Did you mean `markings`?"),
        ('"image/png"', '"image/pgn"', "formats = [", "did you mean «image/png»?"),
        ('scan = "required"', 'scan = "requierd"', 'scan = "required"', "did you mean «required»?"),
        ('image_bytes = "50 MB"', 'image_bytes = "50 MiB"', "image_bytes", "a size is written like «50 MB»"),
        ('id = "files-only"', 'id = "no-links"', 'id = "files-only"', "there is a rule «no-links» already"),
        ('on = ["not-a-file"]', 'on = ["sparse"]', 'on = ["sparse"]', "«files-only» and «whole-files-only» are both"),
        ('id = "files-only"', 'id = "default-refuse"', 'id = "files-only"', "the gateway's own"),
        ('message = "There is nothing', 'message = "In {name} is nothing', "There is nothing", "square brackets"),
        ('advice = "Nothing to do."', "advise = 'x'", 'advice = "Nothing to do."', "Did you mean `advice`?"),
        ('name = "university"', "name = 'un", 'name = "university"', "not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: str, said: str) -> None:
    assert old in WHOLE
    message = misuse(tmp_path, WHOLE.replace(old, new, 1))
    assert said in message
    found_line = int(message.split("policy.toml, line ")[1].split(":")[0])
    near = line_of(line)
    assert near - 1 <= found_line <= near  # a rule as a whole is named by the line of its [[rule]]


def test_a_policy_without_rules_does_not_load(tmp_path: Path) -> None:
    assert "`rule` is missing" in misuse(tmp_path, WHOLE[: WHOLE.index("[[rule]]")])


@pytest.mark.parametrize(
    ("on", "then"),
    [("malware", "note"), ("returning", "note"), ("residue", "hold:review"), ("campaign-unknown", "note")],
)
def test_no_policy_takes_a_promise_back(tmp_path: Path, on: str, then: str) -> None:
    lenient = WHOLE.replace(
        f'on = ["{on}"]\nthen = "{UNIVERSITY.rule_for(Code(on)).then}"', f'on = ["{on}"]\nthen = "{then}"'
    )  # type: ignore[union-attr]  # there is one
    assert lenient != WHOLE
    assert "every policy has to" in misuse(tmp_path, lenient)


# --- overlays ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["university", "first-run"])
def test_a_new_workspace_has_the_shipped_policy_in_force(tmp_path: Path, base: str) -> None:
    site, shipped = loaded(tmp_path, render_site_policy(base)), load_shipped(base)
    assert site.sha256 == shipped.sha256
    assert site.name == "site"
    assert site.derived_from[0] == base


def test_what_is_commented_out_in_a_new_policy_loads(tmp_path: Path) -> None:
    text = render_site_policy("university")
    head, tail = text[: text.index("# [limits]")], text[text.index("# [limits]") :]
    site = loaded(tmp_path, head + "\n".join(line.removeprefix("# ").removeprefix("#") for line in tail.splitlines()))
    assert site.limits.video_bytes == 10**9
    assert site.approval.quorum == 2
    assert decide(evidence(findings=(found(Code.LOCATION),)), site).refused


@pytest.mark.parametrize(
    "text",
    [
        '[limits]\nvideo_bytes = "5 GB"\n',
        "[limits]\nhash_bytes = 9_000_000_000_000\n",
        "[limits]\nseconds = 601\n",
        "[approval]\nfour_eyes = false\n",
        "[approval]\nvalid_days = 31\n",
        '[approval]\nroles = ["approver", "operator"]\n',
        '[malware]\nscan = "when-available"\n',
        "[malware]\nmax_signature_age_days = 8\n",
        RULE.format(id="mine", on="name-not-allowed", then="note"),
        RULE.format(id="mine", on="malware-unscannable", then="hold:scanner"),
        RULE.format(id="mine", on="outside-campaign", then="hold:review"),
    ],
)
def test_an_overlay_never_loosens(tmp_path: Path, text: str) -> None:
    message = misuse(tmp_path, OVERLAY + text)
    assert "may tighten a policy, never loosen it" in message
    assert message.startswith("policy.toml, line ")


def test_a_smaller_quorum_than_the_base_is_looser(tmp_path: Path) -> None:
    strict = dataclasses.replace(UNIVERSITY, approval=dataclasses.replace(UNIVERSITY.approval, quorum=2))
    document = Document(OVERLAY + "[approval]\nquorum = 1\n", source="policy.toml")
    with pytest.raises(Misuse, match=r"line 4: `approval\.quorum` is 1, less than the 2"):
        tighten(strict, document.parse(OverlayPolicy), document)


def test_a_format_that_the_base_lacks_is_looser() -> None:
    narrow = dataclasses.replace(UNIVERSITY, formats=UNIVERSITY.formats[:2])
    document = Document(OVERLAY + '[media]\nformats = ["image/jpeg", "text/vtt"]\n', source="policy.toml")
    with pytest.raises(Misuse, match="adds text/vtt"):
        tighten(narrow, document.parse(OverlayPolicy), document)


def test_a_rule_where_the_base_has_none_must_refuse() -> None:
    bare = dataclasses.replace(UNIVERSITY, rules=tuple(r for r in UNIVERSITY.rules if Code.METADATA not in r.on))
    for then, loose in (("note", True), ("hold:review", True), ("refuse", False)):
        document = Document(with_rule(then, "metadata"), source="policy.toml")
        overlay = document.parse(OverlayPolicy)
        if loose:
            with pytest.raises(Misuse, match="default-refuse refuses"):
                tighten(bare, overlay, document)
        else:
            assert tighten(bare, overlay, document).rule_for(Code.METADATA) is not None


def test_an_overlay_takes_single_findings_over(tmp_path: Path) -> None:
    site = loaded(tmp_path, with_rule("hold:review", "trailing-data"))
    assert site.rule_for(Code.TRAILING_DATA).id == "mine"  # type: ignore[union-attr]  # there is one
    assert site.rule_for(Code.EXTRA_STREAM).id == "extras-go"  # type: ignore[union-attr]  # there is one
    assert decide(evidence(findings=(found(Code.TRAILING_DATA),)), site).waiting_for is WaitingFor.REVIEW


def test_an_overlay_rule_of_the_same_name_takes_the_place_of_the_other(tmp_path: Path) -> None:
    site = loaded(tmp_path, with_rule("refuse", "location", "place-goes"))
    assert [r.then for r in site.rules if r.id == "place-goes"] == ["refuse"]
    assert "has a rule «extras-go» too" in misuse(tmp_path, with_rule("refuse", "trailing-data", "extras-go"))


def test_markings_are_added(tmp_path: Path) -> None:
    site = loaded(tmp_path, OVERLAY + '[markings]\nany_case = ["FOR STAFF ONLY"]\n')
    assert set(UNIVERSITY.marks) < set(site.marks)
    assert "for staff only" in site.marks


def test_neutral_values_may_go_either_way(tmp_path: Path) -> None:
    site = loaded(tmp_path, OVERLAY + "[rebuild]\njpeg_quality = 80\n[retention]\nraw_days = 365\nclean_days = 0\n")
    assert (site.quality, site.retention.raw_days, site.retention.clean_days) == (80, 365, 0)


def test_a_site_on_first_run_can_ask_for_the_scanner_again(tmp_path: Path) -> None:
    site = loaded(tmp_path, OVERLAY.replace("university", "first-run") + '[malware]\nscan = "required"\n')
    assert site.sha256 == UNIVERSITY.sha256
    stern = loaded(
        tmp_path, with_rule("refuse", "malware-scanner-unavailable", base=OVERLAY.replace("university", "first-run"))
    )
    assert decide(evidence(scans=(scanned(ScanAnswer.UNAVAILABLE),)), stern).refused


def test_an_unknown_base_is_named(tmp_path: Path) -> None:
    message = misuse(tmp_path, 'name = "site"\nextends = "univresity"\n')
    assert "policy.toml, line 2" in message
    assert "Did you mean `university`?" in message


def test_a_misspelt_extends_is_recognised(tmp_path: Path) -> None:
    assert "Did you mean `extends`?" in misuse(tmp_path, 'name = "site"\nextend = "university"\n')


def test_a_site_cannot_be_a_variant(tmp_path: Path) -> None:
    message = misuse(tmp_path, (shipped_folder() / "first-run.toml").read_text())
    assert "only a policy that comes with the program can be a variant" in message


@st.composite
def overlays(draw: st.DrawFn) -> str:
    text = OVERLAY
    for table, keys in {
        "limits": {"video_bytes": 5 * 10**9, "pixels": 2 * 10**8, "seconds": 1200, "characters": 200_000},
        "approval": {"quorum": 3, "valid_days": 60},
    }.items():
        text += f"[{table}]\n"
        for key, most in keys.items():
            if draw(st.booleans()):
                text += f"{key} = {draw(st.integers(1, most))}\n"
    for number, code in enumerate(draw(st.lists(st.sampled_from(Code), unique=True, max_size=3))):
        then = draw(st.sampled_from(["refuse", "note", "hold:scanner", "hold:campaign", "hold:review", "hold:posture"]))
        text += RULE.format(id=f"mine-{number}", on=code.value, then=then)
    return text


@given(overlays(), evidences)
def test_whatever_loads_is_at_least_as_strict(text: str, given_evidence: Evidence) -> None:
    document = Document(text, source="policy.toml")
    try:
        site = tighten(UNIVERSITY, document.parse(OverlayPolicy), document)
    except Misuse as error:
        assert "line" in error.sentence  # noqa: PT017 - both answers are right; this one has to name its place
        return
    before, after = decide(given_evidence, UNIVERSITY), decide(given_evidence, site)
    assert after.refused or not before.refused
    if before.waiting_for not in {None, WaitingFor.APPROVAL}:
        assert after.waiting_for is not WaitingFor.APPROVAL
    assert site.limits.video_bytes <= UNIVERSITY.limits.video_bytes
    assert site.approval.quorum >= UNIVERSITY.approval.quorum


# --- the shipped ones --------------------------------------------------------------------------------------------


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
        ('roles = ["approver"]', 'roles = ["delegate"]'),
        ("max_signature_age_days = 7", "max_signature_age_days = 6"),
        ("jpeg_quality = 95", "jpeg_quality = 94"),
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
