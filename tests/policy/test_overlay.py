"""Overlays: a site tightens, and is told where it would loosen."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.evidence import UNIVERSITY, evidence, evidences, found, scanned
from tests.policy.files import OVERLAY, RULE, WHOLE, loaded, misuse, with_rule
from transfer.errors import Misuse
from transfer.model.findings import Code, ScanAnswer, WaitingFor
from transfer.model.recipe import Colour, Decode, Films, Recipe
from transfer.policy.decide import decide
from transfer.policy.overlay import tighten
from transfer.policy.overlay_document import OverlayPolicy
from transfer.policy.rulebook import load_policy, load_shipped, render_site_policy, shipped_folder
from transfer.policy.rules import Evidence
from transfer.strict_toml import Document


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
        "[release]\nstop_when_exposed = false\n",
        "[approval]\nvalid_days = 31\n",
        '[approval]\nroles = ["approver", "operator"]\n',
        '[malware]\nscan = "when-available"\n',
        "[return]\ncompare = false\n",
        "[return]\ndistance = 30\n",
        "[return]\nquality = 51\n",
        "[return]\nshare = 61\n",
        "[return]\nmirrored = false\n",
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
    assert (site.recipe.quality, site.retention.raw_days, site.retention.clean_days) == (80, 365, 0)


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


def test_the_way_films_are_made_anew_may_become_stricter_only(tmp_path: Path) -> None:
    strict = OVERLAY + '[rebuild]\nfilms = "encode"\ndecode = "all"\n'
    site = loaded(tmp_path, strict + 'colour = "srgb"\n')
    assert site.recipe == Recipe(
        quality=UNIVERSITY.recipe.quality, colour=Colour.SRGB, films=Films.ENCODE, decode=Decode.ALL
    )
    base = loaded(tmp_path, strict)
    for change, said in (('films = "copy"', "as somebody else wrote them"), ('decode = "sample"', "nobody decoded")):
        document = Document(f"{OVERLAY}[rebuild]\n{change}\n", source="policy.toml")
        with pytest.raises(Misuse, match=said):
            tighten(base, document.parse(OverlayPolicy), document)


def test_a_whole_policy_may_only_record_that_the_device_s_folder_is_exposed(tmp_path: Path) -> None:
    base = tmp_path / "policies"
    base.mkdir()
    (base / "university.toml").write_text(WHOLE.replace("stop_when_exposed = true", "stop_when_exposed = false"))
    overlay = 'name = "site"\nextends = "university"\n'
    (tmp_path / "policy.toml").write_text(overlay)
    assert not load_policy(tmp_path / "policy.toml", shipped=base).stop_when_exposed
    (tmp_path / "policy.toml").write_text(overlay + "[release]\nstop_when_exposed = true\n")
    assert load_policy(tmp_path / "policy.toml", shipped=base).stop_when_exposed
    assert load_policy(tmp_path / "policy.toml").stop_when_exposed
