"""Policy files: what loads, what does not and in which words, and that an overlay can only tighten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.policy.evidence import UNIVERSITY
from tests.policy.files import WHOLE, line_of, loaded, misuse
from transfer.model.findings import Code

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
