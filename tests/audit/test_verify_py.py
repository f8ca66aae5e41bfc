"""verify.py, the verifier that lies in every pack: its own arithmetic, what it finds in logs of operators who lie, that
it agrees with ours, and that no bytes make it fall over."""

from __future__ import annotations

import ast
import contextlib
import copy
import hashlib
import importlib.util
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.approvals.office import Office, Signatory, open_office
from tests.audit.packs import SIGNER, VERIFIER, Files, judge_files, pack_of, run_verifier, zipped
from transfer.approvals import decisions, drafts, pausing
from transfer.approvals.authority import render_root
from transfer.approvals.statement import Role
from transfer.approvals.statement_keys import SigningKey
from transfer.approvals.statement_text import statement_sha256
from transfer.approvals.trail import check_trail
from transfer.audit import merkle, pack
from transfer.audit.export_select import Selection
from transfer.audit.proofs import inclusion_path
from transfer.model.clock import render_time
from transfer.model.events import Event, EventName, FileFact
from transfer.model.identifiers import ItemId, PersonId, Sha256

MALLORY = Signatory(PersonId("u_" + "a" * 32), SigningKey(b"m" * 32))
MAX_LINES = 640


def load() -> Any:
    spec = importlib.util.spec_from_file_location("verify_py_under_test", VERIFIER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verify = load()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    opened = open_office(tmp_path)
    yield opened
    opened.db.close()


@pytest.fixture
def item(office: Office) -> ItemId:
    item = office.hold(1)
    office.approve(item)
    return item


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Office, Files]]:
    """One item, released."""
    office = open_office(tmp_path_factory.mktemp("honest"))
    item = office.hold(1)
    office.approve(item)
    office.release(item)
    yield office, pack_of(office, Selection(item=item))
    office.db.close()


# What the file is.


def test_it_is_one_short_file_for_any_python_with_nothing_of_ours() -> None:
    source = VERIFIER.read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    assert source.count("\n") <= MAX_LINES
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert imported <= sys.stdlib_module_names
    newer = {"removeprefix", "removesuffix", "bit_count", "fromisoformat", "is_relative_to"}  # than Python 3.8
    assert not newer & {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not any(isinstance(node, ast.Match) for node in ast.walk(tree))


def test_wrong_arguments_are_misuse(honest: tuple[Office, Files], tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(zipped(honest[1]))
    assert run_verifier(path, "--vkey", "no+key").returncode == 2
    assert run_verifier(path, "--vkey", tmp_path / "nowhere").returncode == 2
    assert run_verifier(path, "--first-approver", SIGNER.verifier.vkey[:-3]).returncode == 2
    assert run_verifier(path, "--nonsense").returncode == 2
    assert run_verifier(path, path).returncode == 2


def test_without_keys_it_does_not_say_verified(honest: tuple[Office, Files], tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(zipped(honest[1]))
    first = render_root(honest[0].desk.root).strip()
    for given_ in ((), ("--vkey", SIGNER.verifier.vkey), ("--first-approver", first)):
        done = run_verifier(path, *given_)
        assert done.returncode == 0
        assert "Verified" not in done.stdout
        assert "NOT against keys of your own" in done.stdout
    (tmp_path / "key").write_text(SIGNER.verifier.vkey + "\n")
    done = run_verifier(path, "--vkey", tmp_path / "key", f"--first-approver={first}")
    assert done.stdout.startswith("Verified: a part of the log")


# Ed25519: the vectors of RFC 8032, section 7.1; the 1,023 byte one is left out.

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
            "3dca179c138ac17ad9bef1177331a704"
        ),
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key, text, made = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    assert (private.public_key().public_bytes_raw(), private.sign(text)) == (key, made)
    assert verify.signed_by(key, made, text)
    assert not verify.signed_by(key, made, text + b"x")
    for place in range(64):
        assert not verify.signed_by(key, made[:place] + bytes([made[place] ^ 1]) + made[place + 1 :], text)


def test_what_a_strict_verifier_refuses() -> None:
    key, text, made = (bytes.fromhex(RFC_8032[2][place]) for place in (1, 2, 3))
    s = int.from_bytes(made[32:], "little")
    assert not verify.signed_by(key, made[:32] + (s + verify.L).to_bytes(32, "little"), text)  # malleable
    assert not verify.signed_by(key, made[:63], text)
    assert not verify.signed_by(key[:31], made, text)
    identity = (1).to_bytes(32, "little")
    weak = [identity, bytes(32), bytes([*bytes(31), 0x80]), (verify.P - 1).to_bytes(32, "little")]
    weak += [bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")]
    weak += [bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")]
    for small in weak:
        for r in (identity, small):
            assert not verify.signed_by(small, r + bytes(32), text)
    for y in (verify.P, verify.P + 1, 2**255 - 1):  # points in a second spelling
        assert verify.decode_point(y.to_bytes(32, "little")) is None
    assert verify.decode_point(((1 << 255) | 1).to_bytes(32, "little")) is None  # x = 0 with its sign set
    assert verify.decode_point((2).to_bytes(32, "little")) is None  # no point has this y


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 63), st.integers(0, 255))
def test_it_agrees_with_a_library_about_signatures(seed: bytes, text: bytes, place: int, flip: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key, made = private.public_key().public_bytes_raw(), bytearray(private.sign(text))
    made[place] ^= flip
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(bytes(made), text)
        good = True
    except InvalidSignature:
        good = False
    assert verify.signed_by(key, bytes(made), text) is good
    assert good is (flip == 0)


def test_it_agrees_with_ours_about_every_proof_of_small_trees() -> None:
    for size in range(1, 34):
        leaves = [merkle.leaf_hash(b"%d" % number) for number in range(size)]

        def hash_of(start: int, end: int, leaves: list[bytes] = leaves) -> bytes:
            if end - start == 1:
                return leaves[start]
            middle = start + merkle.split_point(end - start)
            return merkle.node_hash(hash_of(start, middle, leaves), hash_of(middle, end, leaves))

        root = hash_of(0, size)
        for index in range(size):
            path = inclusion_path(index, size, hash_of)
            assert verify.root_of(leaves[index], index, size, path) == root
            assert verify.root_of(leaves[index], index, size, [*path, bytes(32)]) != root
            for other in range(size):
                assert (verify.root_of(leaves[index], other, size, path) == root) == (other == index)


# Operators who lie, and sign what they made with the log's own key.


def record(office: Office, name: EventName, **values: Any) -> None:
    with office.db.write() as tx:
        office.desk.recorder.append(tx, Event(name=name, **values))


def last_statement(office: Office) -> Sha256:
    found = [leaf for _, leaf in office.leaves() if leaf["event"] == "statement.accepted"]
    return Sha256(found[-1]["facts"]["statement_sha256"])


def accepted(office: Office, note: str, by: PersonId) -> Sha256:
    until = render_time(office.clock.at + timedelta(days=30))
    facts = {"kind": "approval", "statement": note, "statement_sha256": statement_sha256(note), "valid_until": until}
    record(office, EventName.STATEMENT_ACCEPTED, by=by, facts=facts)
    return statement_sha256(note)


def by_a_stranger(office: Office, item: ItemId) -> None:
    other = office.hold(2)
    note = MALLORY.sign(office.statement(other, by=MALLORY))
    office.release(other, statement=accepted(office, note, MALLORY.person))


def by_an_operator(office: Office, item: ItemId) -> None:
    olga, other = office.enrol("olga", Role.OPERATOR), office.hold(2)
    note = olga.sign(office.statement(other, by=olga))
    office.release(other, statement=accepted(office, note, olga.person))


def other_bytes(office: Office, item: ItemId) -> None:
    office.release(item, statement=last_statement(office), sha256=Sha256("d" * 64))


def anothers_statement(office: Office, item: ItemId) -> None:
    office.release(office.hold(2), statement=last_statement(office))


def by_the_submitter(office: Office, item: ItemId) -> None:
    paul = office.enrol("paul")
    own = office.hold(2, submitter=paul.person)
    note = paul.sign(office.statement(own, by=paul))
    office.release(own, statement=accepted(office, note, paul.person))


def while_paused(office: Office, item: ItemId) -> None:
    with office.db.write() as tx:
        text = drafts.draft_pause(tx, paused=True, by=office.helen.person, reason="doubt", desk=office.desk)
        pausing.set_pause(tx, office.helen.sign(text), desk=office.desk)
    office.release(item, statement=last_statement(office))


def after_the_campaign(office: Office, item: ItemId) -> None:
    office.close_campaign()
    office.release(item, statement=last_statement(office))


def after_its_last_day(office: Office, item: ItemId) -> None:
    office.clock.pass_(days=60)
    other = office.hold(2)
    note = office.helen.sign(office.statement(other))
    office.release(other, statement=accepted(office, note, office.helen.person))


def after_the_approver(office: Office, item: ItemId) -> None:
    paul, other = office.enrol("paul"), office.hold(2)
    office.approve(other, by=paul)
    office.disable(paul, by=office.helen)
    office.release(other, statement=last_statement(office))


def with_a_replaced_key(office: Office, item: ItemId) -> None:
    office.enrol_key("helen", Signatory(office.helen.person, SigningKey(b"n" * 32)))
    office.release(item, statement=last_statement(office))


def too_late(office: Office, item: ItemId) -> None:
    office.policy = replace(office.policy, approval=replace(office.policy.approval, valid_days=2))
    other = office.hold(2)
    office.approve(other)
    office.clock.pass_(days=2, seconds=1)
    office.release(other, statement=last_statement(office))


def after_its_withdrawal(office: Office, item: ItemId) -> None:
    approval = last_statement(office)
    with office.db.write() as tx:
        text = drafts.draft_withdrawal(tx, [item], by=office.helen.person, reason="logo", desk=office.desk)
        decisions.withdraw(tx, office.helen.sign(text), desk=office.desk)
    office.release(item, statement=approval)


def under_another_policy(office: Office, item: ItemId) -> None:
    office.policy = replace(office.policy, sha256="e" * 64)
    office.release(item, statement=last_statement(office))


def without_the_second_signature(office: Office, item: ItemId) -> None:
    clean = office.items[item].rebuilt.clean
    fact = FileFact(sha256=clean.sha256, size=clean.size)
    policy = Sha256(office.policy.sha256)
    record(office, EventName.FILE_APPROVED, item=item, file=fact, policy=policy, facts={"quorum": 2})


def without_saying_so_before(office: Office, item: ItemId) -> None:
    clean = office.items[item].rebuilt.clean
    record(office, EventName.FILE_RELEASED, item=item, file=FileFact(sha256=clean.sha256, size=clean.size))


def twice(office: Office, item: ItemId) -> None:
    office.release(item)
    without_saying_so_before(office, item)


def put_back_other_bytes(office: Office, item: ItemId) -> None:
    office.release(item)
    record(office, EventName.RELEASE_RESTORED, item=item, file=FileFact(sha256=Sha256("d" * 64), size=1))


def an_approver_out_of_thin_air(office: Office, item: ItemId) -> None:
    record(office, EventName.PERSON_ENROLLED, facts={"person": MALLORY.person, "role": "approver"})


def a_disabling_out_of_thin_air(office: Office, item: ItemId) -> None:
    record(office, EventName.PERSON_DISABLED, facts={"person": office.helen.person})


def enrolled_by_herself(office: Office, item: ItemId) -> None:
    with office.db.read() as tx:
        text = drafts.draft_enrolment(
            tx, MALLORY.person, role=Role.APPROVER, public_key=MALLORY.key.public_key, by=MALLORY.person,
            desk=office.desk,
        )  # fmt: skip
    note = MALLORY.sign(text)
    facts = {
        "person": MALLORY.person,
        "role": "approver",
        "statement": note,
        "statement_sha256": statement_sha256(note),
    }
    record(office, EventName.PERSON_ENROLLED, by=MALLORY.person, facts=facts)


def a_statement_used_again(office: Office, item: ItemId) -> None:
    leaf = next(leaf for _, leaf in office.leaves() if leaf["event"] == "campaign.approved")
    record(office, EventName.CAMPAIGN_APPROVED, by=PersonId(leaf["by"]), facts=leaf["facts"])


def signed_for_somebody_else(office: Office, item: ItemId) -> None:
    other = office.hold(2)
    signed = office.helen.sign(office.statement(other))
    record(
        office,
        EventName.STATEMENT_ACCEPTED,
        by=office.sam,
        facts={
            "statement": signed,
            "statement_sha256": statement_sha256(signed),
            "valid_until": "2027-01-01T00:00:00.000Z",
        },
    )


LIES = [
    (by_a_stranger, "not enrolled by a signature"),
    (by_an_operator, "may not sign this"),
    (other_bytes, "other bytes"),
    (anothers_statement, "nobody handed in for it"),
    (by_the_submitter, "by the person who handed it in"),
    (while_paused, "paused"),
    (after_the_campaign, "campaign"),
    (after_its_last_day, "not current"),
    (after_the_approver, "no approver then"),
    (with_a_replaced_key, "another key"),
    (too_late, "expired"),
    (after_its_withdrawal, "after its withdrawal"),
    (under_another_policy, "another policy"),
    (without_the_second_signature, "not covered by an approval"),
    (without_saying_so_before, "no valid approval of these bytes came before"),
    (twice, "no valid approval of these bytes came before"),
    (put_back_other_bytes, "not released before"),
    (an_approver_out_of_thin_air, "without a signature"),
    (a_disabling_out_of_thin_air, "without a signature"),
    (enrolled_by_herself, "not enrolled by a signature"),
    (a_statement_used_again, "missing or doubled"),
    (signed_for_somebody_else, "names another statement or signer"),
]


@pytest.mark.parametrize(("lie", "word"), LIES, ids=[lie.__name__ for lie, _ in LIES])
def test_a_lie_signed_with_the_logs_own_key_is_found_by_both(
    office: Office, item: ItemId, tmp_path: Path, lie: Callable[[Office, ItemId], None], word: str
) -> None:
    lie(office, item)
    verdict = judge_files(pack_of(office), office, tmp_path)
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict
    assert verdict.sentence.startswith("Entry ")
    assert word in verdict.said, verdict


def test_own_approvals_pass_where_the_policy_allows_them(office: Office, item: ItemId, tmp_path: Path) -> None:
    by_the_submitter(office, item)
    verdict = judge_files(pack_of(office), office, tmp_path, own_approvals=True)
    assert (verdict.ours, verdict.theirs) == (0, 0), verdict


def test_a_proper_life_of_many_people_verifies(office: Office, item: ItemId, tmp_path: Path) -> None:
    paul = office.enrol("paul")
    office.release(item)
    second = office.hold(2, submitter=office.helen.person)
    office.approve(second, by=paul)
    office.release(second)
    office.disable(paul, by=office.helen)
    office.close_campaign()
    for selection in (Selection(), Selection(item=second), Selection(campaign="open-day")):
        verdict = judge_files(pack_of(office, selection), office, tmp_path)
        assert (verdict.ours, verdict.theirs) == (0, 0), verdict


# It agrees with ours, whatever a log says.


def refused(leaves: list[tuple[int, dict[str, Any]]], office: Office) -> bool:
    root = office.desk.root
    assert root is not None
    approvals = verify.Approvals((root.person, bytes.fromhex(root.public_key)), False)
    try:
        for index, leaf in leaves:
            approvals.feed(index, leaf)
    except verify.Refused:
        return True
    return False


@pytest.mark.slow
def test_it_agrees_with_ours_about_changed_leaves(honest: tuple[Office, Files]) -> None:
    """Every value in every leaf made another, or of another kind: what ours finds, it finds; all else, hardly ever."""
    office, _ = honest
    leaves = list(office.leaves())
    wrecks: tuple[Callable[[Any], Any], ...] = (
        lambda _: None, lambda _: 5, lambda _: [], lambda _: {}, lambda value: f"{value}x",
        lambda value: str(value)[:-1],
    )  # fmt: skip
    assert not refused(leaves, office)
    found = sterner = 0
    for index, leaf in leaves:
        for path in places(leaf):
            for wreck in wrecks:
                changed = copy.deepcopy(leaves)
                node: Any = changed[index][1]
                for step in path[:-1]:
                    node = node[step]
                node[path[-1]] = wreck(node[path[-1]])
                if not isinstance(changed[index][1]["event"], str):
                    continue  # the parsers in front refuse it
                ours = bool(check_trail(changed, root=office.desk.root))
                theirs = refused(changed, office)
                assert theirs or not ours, (index, path, node[path[-1]])
                found += ours
                sterner += theirs and not ours
    assert found > 100
    assert sterner <= 10  # where a leaf is nonsense, not where it lies


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


# No bytes make it fall over.


def check_ends_well(files: dict[str, bytes]) -> bool:
    """Whether it verifies; anything but its own refusal is a defect."""
    try:
        verify.check(files)
    except verify.Refused as refusal:
        return refusal.code not in {1, 4} or not str(refusal)
    return True


def test_changed_bytes_in_any_file_never_make_it_fall_over(honest: tuple[Office, Files]) -> None:
    files = honest[1]
    chance = random.Random(20261122)
    passed = 0
    for _ in range(600):
        name = chance.choice(sorted(files))
        content = bytearray(files[name])
        for _ in range(chance.choice((1, 1, 1, 2, 8))):
            place = chance.randrange(len(content))
            kind = chance.randrange(4)
            if kind == 0:
                content[place] ^= 1 << chance.randrange(8)
            elif kind == 1:
                del content[place : place + chance.randrange(1, 9)]
            elif kind == 2:
                content[place:place] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
            else:
                content[place] = chance.choice(b'{}[]",:\n\x00\xff0')
            content = content or bytearray(b"\n")
        if bytes(content) != files[name] and check_ends_well(files | {name: bytes(content)}):
            passed += 1
            assert name == pack.MANIFEST  # what was asked for is the pack's own word
    assert passed < 20


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda some: b"PK\x03\x04" + some))
def test_no_bytes_make_its_zip_reader_fall_over(untrusted: bytes) -> None:
    with contextlib.suppress(verify.Refused):
        verify.read_zip(untrusted)


@given(
    st.dictionaries(
        st.sampled_from(sorted(verify.REQUIRED)), st.binary(max_size=80) | st.text(max_size=40).map(str.encode)
    )
)
def test_no_files_make_it_fall_over(files: dict[str, bytes]) -> None:
    assert check_ends_well(dict.fromkeys(verify.REQUIRED, b"x") | files) is False


def test_a_changed_byte_of_the_zip_is_always_found(honest: tuple[Office, Files], tmp_path: Path) -> None:
    made = zipped(honest[1])
    chance = random.Random(7)
    for _ in range(400):
        place = chance.randrange(len(made))
        changed = made[:place] + bytes([made[place] ^ (1 << chance.randrange(8))]) + made[place + 1 :]
        with pytest.raises(verify.Refused):
            verify.read_zip(changed)


@pytest.mark.parametrize(
    ("old", "new"), [(b'"v":1}', b'"v":true}'), (b'"v":1}', b'"v":2}'), (b'"v":1}', b'"v":1,"v":1}'), (b'"at"', b'"a"')]
)
def test_an_entry_of_another_form_is_refused_by_both(
    honest: tuple[Office, Files], tmp_path: Path, old: bytes, new: bytes
) -> None:
    office, files = honest
    changed = files | {pack.ENTRIES: files[pack.ENTRIES].replace(old, new, 1)}
    verdict = judge_files(changed, office, tmp_path)
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict
    assert "Line 1 of entries.jsonl" in verdict.sentence, verdict
    assert "Line 1 of entries.jsonl" in verdict.said or "has no time" in verdict.said, verdict


def test_deep_and_large_json_ends_with_a_sentence(honest: tuple[Office, Files]) -> None:
    files = honest[1]
    for line in (b"[" * 16_000, b'{"a":' * 3_000, b'{"i":' + b"9" * 15_000 + b"}", b'{"v":1.5}', b'{"v":NaN}', b"\xff"):
        assert check_ends_well(files | {pack.ENTRIES: files[pack.ENTRIES] + line + b"\n"}) is False
        assert check_ends_well(files | {pack.MANIFEST: line + b"\n"}) is False
    note = json.dumps("oneway-transfer/statement/v1\n" + "[" * 9_000 + "\n\n— x AAAAAAAA\n")
    for kind in ("statement.accepted", "person.enrolled", "gateway.paused"):
        leaf = {"event": kind, "by": "u", "facts": {"statement": json.loads(note)}}
        with pytest.raises(verify.Refused):
            verify.Approvals(None, False).feed(0, leaf)


def test_a_terminal_is_shown_nothing_that_it_would_obey(honest: tuple[Office, Files], tmp_path: Path) -> None:
    files = honest[1]
    evil = "\x1b[2J\u202eevil"
    path = tmp_path / "pack.zip"
    manifest = pack.parse_manifest(files[pack.MANIFEST])
    path.write_bytes(zipped(files | {pack.MANIFEST: pack.render_manifest(
        replace(manifest, selection={"kind": "item", "item": evil})
    )}))  # fmt: skip
    done = run_verifier(path)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert done.stdout.isascii()


@pytest.mark.slow
def test_a_thousand_signatures_take_seconds() -> None:
    key, text, made = (bytes.fromhex(RFC_8032[2][place]) for place in (1, 2, 3))
    code = "import runpy,sys; v = runpy.run_path(sys.argv[1]); a = [bytes.fromhex(x) for x in sys.argv[2:]]; "
    code += "assert all(v['signed_by'](*a) for _ in range(1000))"
    command = [sys.executable, "-I", "-S", "-c", code, str(VERIFIER), key.hex(), made.hex(), text.hex()]
    subprocess.run(command, check=True, timeout=60)
