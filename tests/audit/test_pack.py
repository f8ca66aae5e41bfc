"""Evidence packs: whole ones verify; whatever was altered, swapped, added or left out is found by both verifiers."""

from __future__ import annotations

import contextlib
import copy
import json
import shutil
import struct
import subprocess
import warnings
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.approvals.office import Office, open_office
from tests.audit.packs import (
    SIGNER,
    Files,
    described,
    entries_of,
    judge,
    judge_files,
    pack_of,
    run_verifier,
    sha256,
    with_entries,
    zipped,
)
from transfer.approvals.authority import render_root
from transfer.audit import pack
from transfer.audit.canonical import render_canonical
from transfer.audit.export_select import Selection
from transfer.audit.notes import Ed25519Signer
from transfer.audit.pack_read import is_pack, read_pack
from transfer.audit.pack_zip import parse_zip, render_zip
from transfer.audit.receipts import parse_receipt, render_receipt
from transfer.errors import Misuse, NotSo, Tampered, TransferError


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Three items: one released, one approved and waiting, one only held; both approved by one statement."""
    office = open_office(tmp_path_factory.mktemp("office"))
    first, second = office.hold(1), office.hold(2)
    office.approve(first, second)
    office.release(first)
    office.hold(3)
    yield office
    office.db.close()


@pytest.fixture(scope="module")
def whole(lived: Office) -> Files:
    return pack_of(lived)


@pytest.fixture(scope="module")
def one_item(lived: Office) -> Files:
    return pack_of(lived, Selection(item=next(iter(lived.items))))


@pytest.fixture
def files(one_item: Files) -> Files:
    return dict(one_item)


def test_a_whole_log_and_one_item_verify(lived: Office, whole: Files, one_item: Files, tmp_path: Path) -> None:
    for made in (whole, one_item):
        verdict = judge_files(made, lived, tmp_path)
        assert (verdict.ours, verdict.theirs) == (0, 0), verdict
    manifest = pack.parse_manifest(one_item[pack.MANIFEST])
    events = {entry["i"]: entry["event"] for entry in entries_of(one_item)}
    assert {events[index] for index in manifest.governing} == {"person.enrolled", "campaign.approved"}
    assert [events[index] for index in manifest.asked][-2:] == ["file.releasing", "file.released"]
    assert "statement.accepted" in {events[index] for index in manifest.asked}
    items = {entry.get("item") for entry in entries_of(one_item)} - {None}
    assert items == {next(iter(lived.items))}  # nothing about the other item that the same statement is about


def test_the_same_pack_has_the_same_bytes(lived: Office, one_item: Files) -> None:
    again = pack_of(lived, Selection(item=next(iter(lived.items))))
    assert zipped(again) == zipped(dict(reversed(one_item.items())))


def test_other_programs_read_the_zip(one_item: Files, tmp_path: Path) -> None:
    with zipfile.ZipFile(BytesIO(zipped(one_item))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == one_item
        assert archive.namelist() == sorted(one_item)


def test_an_unpacked_pack_verifies_and_is_recognised(lived: Office, one_item: Files, tmp_path: Path) -> None:
    folder = unpack(one_item, tmp_path / "pack")
    assert is_pack(folder)
    assert read_pack(folder) == one_item
    verdict = judge(folder, SIGNER.verifier.vkey, render_root(lived.desk.root).strip())
    assert (verdict.ours, verdict.theirs) == (0, 0), verdict


def unpack(files: Files, folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


# What somebody changes in the files; the word that both sentences must hold.


def changed_entry(files: Files) -> Files:
    entries = entries_of(files)
    entries[-1]["file"]["bytes"] += 1
    return with_entries(files, entries)


def changed_entry_with_its_proof(files: Files) -> Files:
    files = changed_entry(files)
    name = pack.proof_name(entries_of(files)[-1]["i"])
    receipt = parse_receipt(files[name])
    other = receipt.__class__(
        entry=files[pack.ENTRIES].splitlines()[-1], index=receipt.index, path=receipt.path, note=receipt.note
    )
    return files | {name: render_receipt(other).encode()}


def two_proofs(files: Files) -> list[str]:
    return sorted(name for name in files if name.startswith("proofs/"))[-2:]


def swapped_proofs(files: Files) -> Files:
    one, other = two_proofs(files)
    return files | {one: files[other], other: files[one]}


def dropped_entry(files: Files) -> Files:
    """An entry in the middle of the item's life, with its proof and in a manifest that knows nothing of it."""
    entries = entries_of(files)
    gone = next(entry for entry in entries if entry["event"] == "file.examined")
    files = with_entries(files, [entry for entry in entries if entry is not gone])
    files.pop(pack.proof_name(gone["i"]))
    manifest = pack.parse_manifest(files[pack.MANIFEST])
    return described(files, asked=tuple(index for index in manifest.asked if index != gone["i"]))


def dropped_line(files: Files) -> Files:
    return with_entries(files, entries_of(files)[:-1])


def dropped_approval(files: Files) -> Files:
    """The statement left out with all that names it: the release is then one that nobody approved."""
    entries = entries_of(files)
    gone = next(entry for entry in entries if entry["event"] == "statement.accepted")
    files = with_entries(files, [entry for entry in entries if entry is not gone])
    files.pop(pack.proof_name(gone["i"]))
    files.pop(pack.statement_name(gone["facts"]["statement_sha256"]))
    manifest = pack.parse_manifest(files[pack.MANIFEST])
    return described(files, asked=tuple(index for index in manifest.asked if index != gone["i"]))


def other_checkpoint(files: Files) -> Files:
    """A checkpoint that the same key signed, for another tree."""
    from transfer.audit.checkpoint import Checkpoint, render_checkpoint
    from transfer.audit.notes import sign_note

    size = pack.parse_manifest(files[pack.MANIFEST]).size
    text = render_checkpoint(Checkpoint(origin=SIGNER.name, size=size, root=bytes(32)))
    note = sign_note(text, [SIGNER]).encode()
    old = files[pack.CHECKPOINT]
    proofs = {name: content.replace(old, note) for name, content in files.items() if name.startswith("proofs/")}
    return files | proofs | {pack.CHECKPOINT: note}


def only_the_checkpoint(files: Files) -> Files:
    return files | {pack.CHECKPOINT: other_checkpoint(files)[pack.CHECKPOINT]}


def checkpoint_of_another_key(files: Files) -> Files:
    from transfer.audit.notes import parse_note, sign_note

    other = Ed25519Signer(SIGNER.name, b"o" * 32)
    note = sign_note(parse_note(files[pack.CHECKPOINT])[0], [other]).encode()
    old = files[pack.CHECKPOINT]
    proofs = {name: content.replace(old, note) for name, content in files.items() if name.startswith("proofs/")}
    return files | proofs | {pack.CHECKPOINT: note}


def all_of_another_key(files: Files) -> Files:
    other = Ed25519Signer(SIGNER.name, b"o" * 32)
    return checkpoint_of_another_key(files) | {pack.VKEY: f"{other.verifier.vkey}\n".encode()}


def forged_signature(files: Files) -> Files:
    note = files[pack.CHECKPOINT]
    return files | {pack.CHECKPOINT: note[:-12] + (b"A" if note[-12:-11] != b"A" else b"B") + note[-11:]}


def disclosures(files: Files) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files[pack.DISCLOSURES].splitlines()]


def with_disclosures(files: Files, found: list[dict[str, Any]]) -> Files:
    return files | {pack.DISCLOSURES: b"".join(render_canonical(one) + b"\n" for one in found)}


def disclosure_of_another_entry(files: Files) -> Files:
    found = disclosures(files)
    found[-1]["i"] = next(entry["i"] for entry in entries_of(files) if "_sd" not in entry)
    return with_disclosures(files, found)


def disclosure_with_another_value(files: Files) -> Files:
    found = disclosures(files)
    found[-1]["value"] = "innocent.jpg"
    return with_disclosures(files, found)


def invented_disclosure(files: Files) -> Files:
    from transfer.audit.entries import _base64url

    found = disclosures(files)
    found[-1]["disclosure"] = _base64url(render_canonical(["AAAAAAAAAAAAAAAAAAAAAA", "name", "innocent.jpg"]))
    found[-1]["value"] = "innocent.jpg"
    return with_disclosures(files, found)


def doubled_disclosure(files: Files) -> Files:
    return files | {pack.DISCLOSURES: files[pack.DISCLOSURES] + files[pack.DISCLOSURES].splitlines()[0] + b"\n"}


def the_policy(files: Files) -> str:
    return next(name for name in files if name.startswith("policy/"))


def changed_policy(files: Files) -> Files:
    name = the_policy(files)
    return files | {name: files[name].replace(b'"four_eyes":true', b'"four_eyes":false')}


def missing_policy(files: Files) -> Files:
    return {name: content for name, content in files.items() if not name.startswith("policy/")}


def surplus_policy(files: Files) -> Files:
    text = b"anything"
    return files | {pack.policy_name(sha256(text)): text}


def the_statement(files: Files) -> str:
    return min(name for name in files if name.startswith("statements/"))


def changed_statement(files: Files) -> Files:
    name = the_statement(files)
    return files | {name: files[name].replace(b"u_", b"u-", 1)}


def missing_statement(files: Files) -> Files:
    return {name: content for name, content in files.items() if name != the_statement(files)}


def surplus_statement(files: Files) -> Files:
    return files | {pack.statement_name("ab" * 32): b"anything\n"}


def changed_readme(files: Files) -> Files:
    return files | {pack.README: b"Believe me.\n"}


def changed_verifier(files: Files) -> Files:
    return files | {pack.VERIFIER: b"print('Verified')\n"}


def renamed_log(files: Files) -> Files:
    return described(files, origin="other.example")


def fewer_listed(files: Files) -> Files:
    return described(files, asked=pack.parse_manifest(files[pack.MANIFEST]).asked[1:])


def in_another_order(files: Files) -> Files:
    lines = files[pack.ENTRIES].splitlines(keepends=True)
    return files | {pack.ENTRIES: b"".join([lines[1], lines[0], *lines[2:]])}


def respelled(files: Files) -> Files:
    return files | {pack.ENTRIES: files[pack.ENTRIES].replace(b'{"_sd"', b'{ "_sd"', 1)}


def without(name: str) -> Callable[[Files], Files]:
    return lambda files: {other: content for other, content in files.items() if other != name}


CHANGES: dict[str, tuple[Callable[[Files], Files], str]] = {
    "a changed entry": (changed_entry, "is not a proof of entry"),
    "a changed entry and its proof": (changed_entry_with_its_proof, "signed root"),
    "swapped proofs": (swapped_proofs, "is not a proof of entry"),
    "a dropped entry": (dropped_entry, "as the one before it"),
    "a dropped line": (dropped_line, "missing from entries.jsonl"),
    "a dropped approval": (dropped_approval, "approv"),
    "another checkpoint": (other_checkpoint, "signed root"),
    "only another checkpoint": (only_the_checkpoint, "another checkpoint"),
    "a checkpoint of another key": (checkpoint_of_another_key, "checkpoint"),
    "everything of another key": (all_of_another_key, "key"),
    "a forged signature": (forged_signature, "ood"),
    "a disclosure of another entry": (disclosure_of_another_entry, "commits to"),
    "a disclosure with another value": (disclosure_with_another_value, "something else than it opens"),
    "an invented disclosure": (invented_disclosure, "commits to"),
    "a doubled disclosure": (doubled_disclosure, "twice"),
    "a changed policy": (changed_policy, "policy/"),
    "a missing policy": (missing_policy, "policy/"),
    "a surplus policy": (surplus_policy, "named by no entry"),
    "a changed statement": (changed_statement, "is not a statement of the entries"),
    "a missing statement": (missing_statement, "statements/"),
    "a surplus statement": (surplus_statement, "is not a statement of the entries"),
    "a changed README": (changed_readme, "README.txt is not the one"),
    "a changed verifier": (changed_verifier, "verify.py is not the one"),
    "a renamed log": (renamed_log, "another log"),
    "fewer entries listed": (fewer_listed, "other entries"),
    "another order": (in_another_order, "ntr"),
    "another spelling": (respelled, "entries.jsonl"),
    "no checkpoint": (without(pack.CHECKPOINT), "checkpoint is missing"),
    "no manifest": (without(pack.MANIFEST), "pack.json is missing"),
    "no key": (without(pack.VKEY), "log.vkey is missing"),
    "no disclosures": (without(pack.DISCLOSURES), "disclosures.jsonl is missing"),
    "a key without its end": (lambda files: files | {pack.VKEY: files[pack.VKEY].rstrip()}, "log.vkey"),
    "a manifest that is none": (lambda files: files | {pack.MANIFEST: b"{}\n"}, "pack.json"),
    "a cut file of entries": (lambda files: files | {pack.ENTRIES: files[pack.ENTRIES][:-1]}, "cut short"),
}


@pytest.mark.parametrize(("change", "word"), CHANGES.values(), ids=CHANGES.keys())
def test_whatever_is_changed_is_found_by_both(
    lived: Office, files: Files, tmp_path: Path, change: Callable[[Files], Files], word: str
) -> None:
    changed = change(dict(files))
    assert changed != files
    verdict = judge_files(changed, lived, tmp_path)
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict
    assert word in verdict.sentence, verdict
    assert word in verdict.said, verdict


def test_another_first_approver_is_found(lived: Office, files: Files, tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(zipped(files))
    other = Ed25519Signer("u_" + "a" * 32, b"f" * 32).verifier.vkey
    verdict = judge(path, SIGNER.verifier.vkey, other)
    assert (verdict.ours, verdict.theirs) == (4, 4)
    assert "first" in verdict.sentence
    assert "first approver is" in verdict.said


def test_a_period_with_a_gap_is_found(lived: Office, tmp_path: Path) -> None:
    files = pack_of(lived, Selection(since="2026-01-01T00:00:00.000Z"))
    assert judge_files(files, lived, tmp_path).ours == 0
    entries = entries_of(files)
    gone = next(entry for entry in entries if entry["event"] == "campaign.proposed")
    files = with_entries(files, [entry for entry in entries if entry is not gone])
    files.pop(pack.proof_name(gone["i"]))
    files = with_disclosures(files, [one for one in disclosures(files) if one["i"] != gone["i"]])
    manifest = pack.parse_manifest(files[pack.MANIFEST])
    files = described(files, asked=tuple(index for index in manifest.asked if index != gone["i"]))
    verdict = judge_files(files, lived, tmp_path)
    assert (verdict.ours, verdict.theirs) == (4, 4)
    assert "asked for" in verdict.sentence
    assert "asked for" in verdict.said


# The container.


def raw_zip(members: list[tuple[str, bytes]], **given: Any) -> bytes:
    """What Python's own program writes."""
    made = BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w") as archive:
        warnings.simplefilter("ignore")  # two members of one name
        for name, content in members:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = given.get("method", zipfile.ZIP_STORED)
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
        archive.comment = given.get("comment", b"")
    return made.getvalue()


def with_member(name: str, content: bytes = b"x") -> Callable[[Files], bytes]:
    return lambda files: raw_zip(sorted([*files.items(), (name, content)]))


def oversized(files: Files) -> bytes:
    return raw_zip(sorted([*files.items(), ("verify.html", bytes(5 * 1024 * 1024))]))


def lying_about_size(files: Files) -> bytes:
    content = bytearray(zipped(files))
    struct.pack_into("<I", content, 18, 0xFFFFFFF0)
    struct.pack_into("<I", content, 22, 0xFFFFFFF0)
    return bytes(content)


CONTAINERS: dict[str, tuple[Callable[[Files], bytes], str]] = {
    "an added file": (with_member("notes.txt"), "notes.txt"),
    "an absolute name": (with_member("/etc/passwd"), "/etc/passwd"),
    "a name that leads out": (with_member("../checkpoint"), "../checkpoint"),
    "a name that leads out further": (with_member("proofs/../../x"), "proofs/../../x"),
    "a backslash": (with_member("proofs\\x"), "has no place"),
    "a duplicate": (with_member(pack.README), "twice"),
    "a folder": (with_member("proofs/", b""), "proofs/"),
    "an oversized member": (oversized, "too large"),
    "a lie about a size": (lying_about_size, "too large"),
    "compressed": (lambda files: raw_zip(sorted(files.items()), method=zipfile.ZIP_DEFLATED), "README.txt"),
    "a bomb": (
        lambda files: raw_zip([(pack.README, bytes(3 * 1024 * 1024)), *sorted(files.items())[1:]], method=8),
        "README.txt",
    ),
    "a comment": (lambda files: raw_zip(sorted(files.items()), comment=b"hello"), "directory"),
    "something behind": (lambda files: zipped(files) + b"x", "directory"),
    "something before": (lambda files: b"x" + zipped(files), "ZIP"),
    "another order": (lambda files: raw_zip(sorted(files.items(), reverse=True)), "not in its place"),
    "cut": (lambda files: zipped(files)[:-30], "directory"),
    "cut in the middle": (lambda files: zipped(files)[: len(zipped(files)) // 2], ""),
    "no ZIP at all": (lambda _: b"PK is how a ZIP begins", "ZIP"),
}


@pytest.mark.parametrize(("make", "word"), CONTAINERS.values(), ids=CONTAINERS.keys())
def test_a_zip_of_another_spelling_is_refused_by_both(
    lived: Office, files: Files, tmp_path: Path, make: Callable[[Files], bytes], word: str
) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(make(files))
    verdict = judge(path, SIGNER.verifier.vkey, render_root(lived.desk.root).strip())
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict
    assert word in verdict.sentence, verdict
    assert word in verdict.said, verdict


def test_pythons_own_program_writes_the_same_bytes(files: Files) -> None:
    assert raw_zip(sorted(files.items())) == zipped(files)


def added_file(folder: Path) -> None:
    (folder / "proofs" / "notes.txt").write_text("x")


def link_out(folder: Path) -> None:
    (folder / "README.txt").unlink()
    (folder / "README.txt").symlink_to("/etc/hostname")


def linked_folder(folder: Path) -> None:
    shutil.move(folder / "policy", folder.parent / "policy")
    (folder / "policy").symlink_to(folder.parent / "policy")


def pipe(folder: Path) -> None:
    import os

    (folder / "README.txt").unlink()
    os.mkfifo(folder / "README.txt")


def nested(folder: Path) -> None:
    (folder / "proofs" / "more").mkdir()


@pytest.mark.parametrize("change", [added_file, link_out, linked_folder, pipe, nested])
def test_what_has_no_place_in_an_unpacked_pack_is_found_by_both(
    lived: Office, files: Files, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = unpack(files, tmp_path / "pack")
    change(folder)
    verdict = judge(folder, SIGNER.verifier.vkey, render_root(lived.desk.root).strip())
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict


def test_nothing_is_never_verified(lived: Office, files: Files, tmp_path: Path) -> None:
    first = render_root(lived.desk.root).strip()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.zip").touch()
    (tmp_path / "hollow.zip").write_bytes(zipped({}))
    (tmp_path / "no-entry.zip").write_bytes(zipped(files | {pack.ENTRIES: b""}))
    for name in ("empty", "empty.zip", "hollow.zip", "no-entry.zip", "nowhere.zip"):
        done = run_verifier(tmp_path / name, "--vkey", SIGNER.verifier.vkey, "--first-approver", first)
        assert done.returncode == 1, (name, done)
        assert "nothing to verify" in done.stderr
    for name in ("empty.zip", "hollow.zip", "no-entry.zip"):
        verdict = judge(tmp_path / name, SIGNER.verifier.vkey, first)
        assert (verdict.ours, verdict.theirs) == (1, 1), verdict


# Properties.


NAMES = st.sampled_from(sorted({*pack.REQUIRED, pack.VERIFIER_PAGE, pack.proof_name(7), pack.policy_name("ab" * 32)}))


@given(st.dictionaries(NAMES, st.binary(max_size=300)))
def test_a_zip_reads_back(files: Files) -> None:
    assert parse_zip(zipped(files), check_name=pack.check_name) == dict(sorted(files.items()))


@given(st.dictionaries(NAMES, st.binary(max_size=60), min_size=1), st.data())
def test_no_changed_byte_of_a_zip_passes(files: Files, data: st.DataObject) -> None:
    """Names, contents, headers and directory: nothing in a pack's ZIP can be another byte."""
    made = bytearray(zipped(files))
    place = data.draw(st.integers(0, len(made) - 1))
    made[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Tampered):
        parse_zip(bytes(made), check_name=pack.check_name)


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda some: b"PK\x03\x04" + some))
def test_no_bytes_make_the_zip_reader_fail_otherwise(untrusted: bytes) -> None:
    with contextlib.suppress(Tampered):
        parse_zip(untrusted, check_name=pack.check_name)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["asked", "governing", "files", "format", "log", "selection", "kind", "size", "origin"]), inner
    ), max_leaves=12,
)  # fmt: skip


@given(JSON | st.binary(max_size=50))
def test_no_bytes_make_the_manifest_reader_fail_otherwise(value: Any) -> None:
    untrusted = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(Tampered):
        pack.parse_manifest(untrusted + b"\n")


@given(
    st.lists(st.integers(0, 2**40), unique=True, min_size=1).map(sorted),
    st.dictionaries(st.sampled_from(pack.HANDY), st.just("ab" * 32)),
)
def test_a_manifest_reads_back(asked: list[int], files: dict[str, str]) -> None:
    manifest = pack.Manifest(
        origin="tests.example", size=2**41, selection={"kind": "campaign", "campaign": "open-day"}, asked=tuple(asked),
        governing=(), files=files, policies_missing=(),
    )  # fmt: skip
    assert pack.parse_manifest(pack.render_manifest(manifest)) == manifest


def test_too_much_for_a_pack_is_said(lived: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfer.audit.export_select.MAX_ENTRIES", 5)
    with pytest.raises(Misuse, match="more than 5 entries"):
        pack_of(lived)
    with pytest.raises(NotSo):
        pack_of(lived, Selection(campaign="nothing"))
    with pytest.raises(Misuse, match="too much for one"):
        list(render_zip({f"proofs/{number:08}.tlog-proof": b"" for number in range(60_001)}))


def test_the_archive_program_of_the_system_agrees(files: Files, tmp_path: Path) -> None:
    unzip = shutil.which("unzip")
    command = [unzip, "-tqq"] if unzip else ["python3", "-m", "zipfile", "-t"]
    path = tmp_path / "pack.zip"
    path.write_bytes(zipped(files))
    assert subprocess.run([*command, str(path)], check=False, capture_output=True).returncode == 0


def test_only_errors_of_ours_leave_the_reader(files: Files, tmp_path: Path) -> None:
    """Whole lines swapped, cut and doubled in every file of lines."""
    from transfer.audit.pack_verify import verify_pack

    for name in (pack.ENTRIES, pack.DISCLOSURES, pack.MANIFEST, pack.CHECKPOINT, pack.VKEY):
        content = files[name]
        for changed in (b"\n", content + b"\n", content[: len(content) // 2], b"\xff" + content, content * 2):
            altered = copy.copy(files) | {name: changed}
            with pytest.raises(TransferError):
                verify_pack(altered, [SIGNER.verifier], statement_check=lambda leaves: [str(one) for one in leaves][:0])
