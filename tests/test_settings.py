"""Settings and workspace: what is read, what is refused, and in which words."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.errors import Misuse
from transfer.model.identifiers import DeviceId, PersonId, SourceId
from transfer.model.spelling import nearest
from transfer.scanner_settings import ScannerKind
from transfer.settings import Settings, ValveMode, guard_socket, load_settings
from transfer.settings_text import NewSource, quoted, render_settings
from transfer.strict_toml import Document
from transfer.workspace import Workspace, find_workspace

SAM = PersonId("u_" + "1" * 32)
WHOLE = f"""\
[gateway]
origin = "gateway.example.org/audit/2026"

[[source]]
id = "staging"
path = "staging"
submitter = "{SAM}"

[release]
device = "ipad"
"""


def written(folder: Path, text: str) -> Path:
    (folder / "transfer.toml").write_text(text)
    return folder


def misuse(folder: Path, text: str) -> str:
    with pytest.raises(Misuse) as caught:
        load_settings(written(folder, text))
    return str(caught.value)


def test_the_shortest_settings_that_work(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, WHOLE))
    assert settings.sources[0].folder == tmp_path / "staging"
    assert settings.sources[0].submitter_id == SAM
    assert settings.release.folder == tmp_path / "release"
    assert settings.release.aside_folder == tmp_path / "release-aside"
    assert settings.release.device_id == "ipad"
    assert settings.valve.mode is ValveMode.REQUIRE
    assert settings.scanner.kind is ScannerKind.NONE
    assert settings.intake.min_free_bytes == 500_000_000


def test_valve_may_be_written_in_short(tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, 'valve = "prefer"\n' + WHOLE)).valve.mode is ValveMode.PREFER
    assert load_settings(written(tmp_path, WHOLE + '[valve]\nmode = "prefer"\n')).valve.mode is ValveMode.PREFER


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("origin =", "orgin ="), 2, "Did you mean `origin`?"),
        (("[release]", "[relaese]"), 9, "Did you mean `release`?"),
        (("submitter =", "submiter ="), 7, "Did you mean `submitter`?"),
        (("[[source]]", "[[sources]]"), 4, "Did you mean `source`?"),
        (('device = "ipad"', 'device = "iPad!"'), 10, "lower-case letters"),
        ((f'submitter = "{SAM}"', 'submitter = "sam"'), 7, "pseudonym"),
        (('path = "staging"', 'path = "staging"\nkind = "foldr"'), 7, "did you mean 'folder'"),
        (('device = "ipad"', 'device = "ipad"\n[intake]\nmin_free_bytes = "5 gigs"'), 12, "«50 MB»"),
        (('device = "ipad"', 'device = "ipad"\n[sandbox]\nworkers = "2"'), 12, "sandbox.workers"),
        (('device = "ipad"', 'device = "ipad"\n[scanner]\nkind = "clamd"'), 11, "either `socket` or `host`"),
        (('device = "ipad"', 'device = "ipad"\n[guard]\nuser = "oneway-guard"'), 11, "`socket` says where they meet"),
        (('device = "ipad"', 'device = "ipad"\n[guard]\nuser = "a b"\nsocket = "run/s"'), 12, "guard.user"),
        (('device = "ipad"', 'device = "ipad'), 10, "not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, said: str) -> None:
    assert change[0] in WHOLE
    message = misuse(tmp_path, WHOLE.replace(*change))
    assert f"transfer.toml, line {line}:" in message
    assert said in message


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    assert "`release` is missing" in misuse(tmp_path, WHOLE[: WHOLE.index("[release]")])


def test_no_settings_at_all(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match=r"There is no transfer\.toml"):
        load_settings(tmp_path)


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "transfer.toml").write_bytes(b"[gateway]\norigin = '\xff'\n")
    with pytest.raises(Misuse, match="line 2: this is not UTF-8"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('device = "ipad"', 'device = "ipad"\npath = "staging/out"'), "lie in one another"),
        (('path = "staging"', 'path = "release"'), "lie in one another"),
        (('path = "staging"', 'path = "."'), "is the workspace itself"),
        (('path = "staging"', 'path = "state/raw"'), "lie in one another"),
        (('device = "ipad"', 'device = "ipad"\naside = "release/aside"'), "lie in one another"),
        (('device = "ipad"', 'device = "ipad"\npath = "x/../staging"'), "lie in one another"),
        (('device = "ipad"', 'device = "ipad"\n[guard]\nsocket = "release/x/guard.sock"'), "lie in one another"),
        (('device = "ipad"', 'device = "ipad"\n[guard]\nsocket = "staging/guard.sock"'), "lie in one another"),
        (('device = "ipad"', 'device = "ipad"\n[guard]\nsocket = "guard.sock"'), "lie in one another"),
    ],
)
def test_no_end_lies_in_another(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert said in misuse(tmp_path, WHOLE.replace(*change))


def test_where_the_guard_and_the_gateway_meet(tmp_path: Path) -> None:
    inside = load_settings(written(tmp_path, WHOLE))
    assert guard_socket(inside, Workspace(tmp_path)) == tmp_path / "state" / "run" / "guard.sock"
    assert inside.guard.user == ""
    other = WHOLE + '[guard]\nuser = "oneway-guard"\nsocket = "meeting/guard.sock"\n'
    assert guard_socket(load_settings(written(tmp_path, other)), Workspace(tmp_path)) == tmp_path / "meeting/guard.sock"
    spelled_out = WHOLE + '[guard]\nsocket = "state/run/guard.sock"\n'
    assert guard_socket(load_settings(written(tmp_path, spelled_out)), Workspace(tmp_path)).parent.name == "run"


def test_a_link_does_not_hide_that_two_ends_are_one(tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "out").symlink_to("staging")
    assert "lie in one another" in misuse(tmp_path, WHOLE.replace('device = "ipad"', 'device = "ipad"\npath = "out"'))


def test_two_sources_of_one_name(tmp_path: Path) -> None:
    twice = WHOLE + f'[[source]]\nid = "staging"\npath = "other"\nsubmitter = "{SAM}"\n'
    message = misuse(tmp_path, twice)
    assert "two sources have the id 'staging'" in message
    assert "line 12" in message


def test_the_digest_follows_what_is_in_effect(tmp_path: Path) -> None:
    digest = load_settings(written(tmp_path, WHOLE)).sha256
    assert load_settings(written(tmp_path, "# a comment\n" + WHOLE + "[sandbox]\nworkers = 0\n")).sha256 == digest
    assert load_settings(written(tmp_path, WHOLE + "[sandbox]\nworkers = 1\n")).sha256 != digest


def test_what_is_rendered_is_what_is_read(tmp_path: Path) -> None:
    text = render_settings(
        origin="gateway.example.org/audit/2026",
        sources=[NewSource(id=SourceId("staging"), path='o"d\\d\tname', submitter=SAM)],
        device=DeviceId("ipad"),
        valve="prefer",
        clamd_socket="/run/clamd.sock",
    )
    settings = load_settings(written(tmp_path, text))
    assert settings.sources[0].folder == tmp_path / 'o"d\\d\tname'
    assert settings.valve.mode is ValveMode.PREFER
    assert settings.scanner.socket == "/run/clamd.sock"


def test_every_commented_default_is_the_default(tmp_path: Path) -> None:
    text = render_settings(
        origin="a.example",
        sources=[NewSource(id=SourceId("s"), path="staging", submitter=SAM)],
        device=DeviceId("ipad"),
        clamd_socket="/s",
    )
    spelled_out = "\n".join(
        line.removeprefix("# ") if line.startswith("# ") and " = " in line and "#" in line[2:] else line
        for line in text.splitlines()
    )
    assert spelled_out.count("\nworkers = 0") == 1
    before = load_settings(written(tmp_path, text))
    assert load_settings(written(tmp_path, spelled_out)) == before


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_quoting_goes_back_and_forth(value: str) -> None:
    assert tomllib.loads(f"x = {quoted(value)}") == {"x": value}


def mistake(text: str) -> Misuse | None:
    try:
        Document(text, source="transfer.toml").parse(Settings)
    except Misuse as error:
        return error
    return None


@given(st.text(max_size=300))
def test_any_text_is_settings_or_misuse(text: str) -> None:
    error = mistake(text)
    assert error is not None  # no short text says all that is needed
    assert error.sentence.startswith("transfer.toml")


@given(st.sampled_from(WHOLE.splitlines()), st.integers(0, 400), st.text(max_size=4))
def test_damaged_settings_are_misuse_at_worst(line: str, position: int, put: str) -> None:
    error = mistake(WHOLE.replace(line, line[: position % (len(line) + 1)] + put))
    assert error is None or error.advice


def test_lines_inside_long_values_are_no_keys() -> None:
    document = Document('a = """\nb = 1\n[c]\n"""\nd = [\n  "[x]",\n]\n[c]\ne = 1\n', source="f")
    assert document.place(("c", "e")) == "f, line 9"
    assert document.place(("c",)) == "f, line 8"
    assert document.place(("d", 0)) == "f, line 5"
    assert document.place(("b",)) == "f"


def test_nearest_word() -> None:
    assert nearest("quorom", ["quorum", "roles"]) == "quorum"
    assert nearest("g66", ["G6", "G12"]) == "G6"
    assert nearest("zzz", ["quorum", "roles"]) is None


# --- the workspace -----------------------------------------------------------------------------------------------


def test_workspace_is_found_in_order(tmp_path: Path) -> None:
    one, two, below = tmp_path / "one", tmp_path / "two", tmp_path / "one" / "a" / "b"
    below.mkdir(parents=True)
    two.mkdir()
    written(one, WHOLE)
    written(two, WHOLE)
    assert find_workspace(None, {}, below) == one
    assert find_workspace(None, {"TRANSFER_WORKSPACE": str(two)}, below) == two
    assert find_workspace(one, {"TRANSFER_WORKSPACE": str(two)}, tmp_path) == one
    assert find_workspace(Path("../two"), {}, one) == two


def test_no_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="transfer init DIR"):
        find_workspace(None, {}, tmp_path)
    with pytest.raises(Misuse, match=r"has no transfer\.toml"):
        find_workspace(tmp_path, {}, tmp_path)
    with pytest.raises(Misuse, match="TRANSFER_WORKSPACE, but it is not a folder"):
        find_workspace(None, {"TRANSFER_WORKSPACE": str(tmp_path / "gone")}, tmp_path)


def private_workspace(root: Path) -> Workspace:
    workspace = Workspace(root)
    for folder in (workspace.state, workspace.keys):
        folder.mkdir()
        folder.chmod(0o700)
    key = workspace.keys / "log.key"
    key.write_bytes(b"secret")
    key.chmod(0o600)
    shown = workspace.keys / "log.vkey"
    shown.write_bytes(b"public")
    shown.chmod(0o644)
    return workspace


def test_modes_as_they_should_be(tmp_path: Path) -> None:
    private_workspace(tmp_path).check_modes()


@pytest.mark.parametrize(
    ("path", "mode", "mended"),
    [("state", 0o750, "chmod 700"), ("keys", 0o701, "chmod 700"), ("keys/log.key", 0o640, "chmod 600")],
)
def test_modes_that_let_others_in(tmp_path: Path, path: str, mode: int, mended: str) -> None:
    workspace = private_workspace(tmp_path)
    os.chmod(tmp_path / path, mode)
    with pytest.raises(Misuse) as caught:
        workspace.check_modes()
    assert f"{mended} {tmp_path / path}" in caught.value.advice
    assert f"{mode:o}" in caught.value.sentence


def test_a_workspace_without_its_private_folders(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="cannot be examined"):
        Workspace(tmp_path).check_modes()


def test_the_socket_of_the_scanner_lies_relative_to_the_workspace(tmp_path: Path) -> None:
    clamd = WHOLE + '[scanner]\nkind = "clamd"\nsocket = "clamd.sock"\nmax_bytes = "1 GB"\n'
    scanner = load_settings(written(tmp_path, clamd)).scanner
    assert scanner.socket == str(tmp_path / "clamd.sock")
    assert scanner.max_bytes == 10**9
    assert load_settings(written(tmp_path, WHOLE)).scanner.socket == ""


def test_the_folder_of_yara_rules_is_absolute_and_on_neither_side(tmp_path: Path) -> None:
    rules = WHOLE + '[scanner]\nyara = "{}"\n'
    assert load_settings(written(tmp_path, rules.format("rules"))).scanner.yara == str(tmp_path / "rules")
    for inside in ("staging/rules", "release", "state"):
        assert "the folder of the YARA rules" in misuse(tmp_path, rules.format(inside))


DRIVE = f"""
[onedrive]
tenant = "university.example"

[[source]]
id = "staff"
[source.onedrive]
drive = "b!CM3ky53sGlRL6NcvqIj0D24ijsWfVprruRBhLfCnoXg"
folder = "01RYCE474DLBGJ7I55OBXOMH5RTIYW2FFF"
device_accounts = ["iPad@university.example"]
[source.onedrive.credential]
kind = "certificate"
client = "11111111-1111-1111-1111-111111111111"
certificate = "/etc/oneway-transfer/reader.pem"
[source.onedrive.staff]
"22222222-2222-2222-2222-222222222222" = "{SAM}"
"""


def test_a_source_in_onedrive_stands_beside_a_folder(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, WHOLE + DRIVE))
    folder, drive = settings.sources
    assert settings.folder_sources == (folder,)
    assert drive.onedrive is not None
    assert drive.submitters == {SAM} == folder.submitters
    assert (drive.onedrive.poll_seconds, drive.onedrive.settle_seconds) == (15, 30)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[onedrive]\ntenant = \"university.example\"\n", "", "the table [onedrive] with the tenant is missing"),
        ('[source.onedrive]\n', 'path = "x"\n[source.onedrive]\n', "has no `path` and no `submitter`"),
        ('[source.onedrive]\n', 'kind = "folder"\n[source.onedrive]\n', "says otherwise"),
        (f'"{SAM}"\n', '"sam"\n', "a pseudonym is u_"),
        (f'222" = "{SAM}"\n', f'222" = "{SAM}"\n"ipad@UNIVERSITY.example" = "{SAM}"\n', "nothing comes back from it"),
        (f'222" = "{SAM}"\n', f'222" = "{SAM}"\n"A@x" = "{SAM}"\n"a@x" = "u_{"2" * 32}"\n', "stands for two people"),
        ('certificate = "/etc/', 'certificate = "etc/', "is an absolute path"),
        ('client = "11111111-1111-1111-1111-111111111111"\n', "", "needs `client`"),
        ('kind = "certificate"', 'kind = "certifcate"', "did you mean 'certificate'"),
        ('drive = "b!CM', 'drive = "../b!CM', "drive"),
        ('device_accounts', 'device_account', "device_accounts"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_source_in_onedrive_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (WHOLE + DRIVE).rpartition(old) if old in DRIVE else None
    assert text is not None
    with pytest.raises(Misuse) as refused:
        load_settings(written(tmp_path, text[0] + new + text[2]))
    assert said in str(refused.value)


SHORE = """
[release.onedrive]
drive = "b!1"
folder = "01RELEASE"
keep_rewritten = true
[release.onedrive.credential]
kind = "certificate"
client = "33333333-3333-3333-3333-333333333333"
certificate = "/etc/oneway-transfer/writer.pem"

[guard.onedrive]
aside = "01ASIDE"
device = "44444444-4444-4444-4444-444444444444"
device_addresses = ["iPad@university.example"]
known = ["55555555-5555-5555-5555-555555555555"]
poll_seconds = 10
[guard.onedrive.credential]
kind = "certificate"
client = "66666666-6666-6666-6666-666666666666"
certificate = "/etc/oneway-transfer/guard.pem"
"""


def test_a_release_folder_in_onedrive_has_no_folder_on_the_disk(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, WHOLE + DRIVE + SHORE))
    release, guard = settings.release.onedrive, settings.guard.onedrive
    assert release is not None
    assert guard is not None
    assert (release.application, release.keep_rewritten) == ("33333333-3333-3333-3333-333333333333", True)
    assert (guard.aside, guard.poll_seconds, guard.audit_seconds) == ("01ASIDE", 10, 900)
    assert settings.release.folders == ()
    assert settings.release.device_id == "ipad"
    on_disk = load_settings(written(tmp_path, WHOLE)).release
    assert on_disk.folders == (tmp_path / "release", tmp_path / "release-aside")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('device = "ipad"\n', 'device = "ipad"\npath = "release"\n', "has no `path` and no `aside`"),
        ('device = "ipad"\n', 'device = "ipad"\naside = "aside"\n', "has no `path` and no `aside`"),
        (SHORE[: SHORE.index("[guard")], "", "the table [release.onedrive] is missing"),
        (SHORE[SHORE.index("[guard") :], "", "nothing is released without its guard"),
        ('[onedrive]\ntenant = "university.example"\n', "", "the table [onedrive] with the tenant is missing"),
        ('client = "33333333-3333-3333-3333-333333333333"\n', "", "needs `client`"),
        (
            'kind = "certificate"\nclient = "33333333-3333-3333-3333-333333333333"',
            'kind = "managed_identity"',
            "our own files are told from others",
        ),
        ("33333333-3333-3333-3333-333333333333", "66666666-6666-6666-6666-666666666666", "is the writer's"),
        ("33333333-3333-3333-3333-333333333333", "11111111-1111-1111-1111-111111111111", "is a reader's: the writer"),
        ("66666666-6666-6666-6666-666666666666", "11111111-1111-1111-1111-111111111111", "is a reader's: the guard"),
        ('aside = "01ASIDE"', 'aside = "01RELEASE"', "is the release folder itself"),
        ('folder = "01RELEASE"', 'folder = "../x"', "folder"),
        ('device_addresses = ["iPad@university.example"]', "device_addresses = []", "device_addresses"),
        ('device_addresses = ["iPad', 'device_addresses = ["everyone", "iPad', "device_addresses"),
        ('device = "4444', 'device = "https://4444', "device"),
        ("44444444-4444-4444-4444-444444444444", "22222222-2222-2222-2222-222222222222", "cannot be staff"),
        ("keep_rewritten = true", 'person = "77777777-7777-7777-7777-777777777777"', "signs in by hand"),
        ("poll_seconds = 10", "poll_seconds = 0", "poll_seconds"),
        ("known = [", "knwon = [", "Did you mean `known`?"),
    ],
)
def test_what_is_wrong_with_a_release_folder_in_onedrive_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    head, found, rest = (WHOLE + DRIVE + SHORE).rpartition(old)
    assert found
    assert said in misuse(tmp_path, head + new + rest)


def test_the_release_folder_is_no_staging_folder(tmp_path: Path) -> None:
    staging = DRIVE.replace("b!CM3ky53sGlRL6NcvqIj0D24ijsWfVprruRBhLfCnoXg", "b!1")
    for folder in ("01RELEASE", "01ASIDE"):
        text = WHOLE + staging.replace("01RYCE474DLBGJ7I55OBXOMH5RTIYW2FFF", folder) + SHORE
        assert "that would be a way back" in misuse(tmp_path, text)
    assert load_settings(written(tmp_path, WHOLE + staging + SHORE)).release.onedrive is not None


def test_a_release_by_hand_says_who_signs_in(tmp_path: Path) -> None:
    by_hand = SHORE.replace('kind = "certificate"', 'kind = "device_code"', 1)
    by_hand = by_hand.replace('certificate = "/etc/oneway-transfer/writer.pem"\n', "")
    assert "signs in by hand" in misuse(tmp_path, WHOLE + DRIVE + by_hand)
    person = 'keep_rewritten = true\nperson = "77777777-7777-7777-7777-777777777777"'
    settings = load_settings(written(tmp_path, WHOLE + DRIVE + by_hand.replace("keep_rewritten = true", person)))
    assert settings.release.onedrive is not None
    assert settings.release.onedrive.person == "77777777-7777-7777-7777-777777777777"


def test_without_onedrive_nothing_of_it_is_loaded() -> None:
    program = "import sys, transfer.assembly; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"httpx", "msgraph", "msgraph_core", "kiota_abstractions", "kiota_http", "azure"} & set(loaded)
