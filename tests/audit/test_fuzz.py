"""Every parser of untrusted bytes of the log and of approvals, under mutations of valid inputs and under any bytes.

Nothing but the project's own errors ever comes out, and whatever is accepted reads back as the same bytes where a
format has one spelling. Seeded: a failure comes again. `TRANSFER_FUZZ_ROUNDS` makes it as long as one likes.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audit.conftest import event
from transfer.approvals.authority import Root, parse_root, render_root
from transfer.approvals.signing import open_statement, read_unverified
from transfer.approvals.statement import (
    ApprovalStatement,
    CampaignStatement,
    DisableStatement,
    EnrolmentStatement,
    PauseStatement,
    RefusalStatement,
    Risk,
    Role,
    Statement,
)
from transfer.approvals.statement_keys import (
    SigningKey,
    load_signing_key,
    make_key,
    parse_public_key,
    render_public_key,
)
from transfer.approvals.statement_text import parse_statement, render_statement
from transfer.approvals.trail import Trail
from transfer.audit.canonical import decode_json, parse_canonical, render_canonical
from transfer.audit.checkpoint import open_checkpoint, parse_checkpoint, render_checkpoint
from transfer.audit.cosignature import CosignatureSigner, parse_witness_vkey
from transfer.audit.entries import build_leaf, decode_leaf, parse_disclosure, parse_leaf
from transfer.audit.keys import load_key, parse_key, render_key
from transfer.audit.notes import Ed25519Signer, parse_note, parse_vkey, render_vkey, sign_note
from transfer.audit.receipts import open_receipt, parse_receipt, render_receipt
from transfer.audit.tiles import parse_bundle, parse_hashes, parse_tile_path, render_bundle
from transfer.errors import TransferError
from transfer.model.identifiers import CampaignId, ItemId, PersonId, Sha256
from transfer.model.media import Format
from transfer.model.names import safe_name
from transfer.release.manifest import Manifest, ManifestEntry, open_manifest, parse_manifest, render_manifest

ROUNDS = int(os.environ.get("TRANSFER_FUZZ_ROUNDS", "3000"))
VECTORS = Path(__file__).parent / "vectors"
SIGNER = Ed25519Signer("tests.example/log", bytes(range(32)))
LOG = parse_vkey((VECTORS / "log.vkey").read_text().strip())
WITNESS = parse_witness_vkey((VECTORS / "witness.vkey").read_text().strip())
POST_QUANTUM = parse_witness_vkey((VECTORS / "witness-mldsa.vkey").read_text().strip())
HELEN, KEY = PersonId("u_" + "7f" * 16), SigningKey(b"h" * 32)
AT = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
DIGEST = Sha256("ab" * 32)


@dataclass(frozen=True)
class Parser:
    """A parser, valid inputs for it, and how what it read is written (None: there is more than one spelling)."""

    seeds: list[bytes]
    parse: Callable[[bytes], object]
    render: Callable[[object], bytes] | None = None


def text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """A parser of text, given bytes as the system gives arguments: what is not UTF-8 comes as lone surrogates."""
    return lambda content: parse(content.decode("utf-8", "surrogateescape"))


def again(render: Callable[[object], str]) -> Callable[[object], bytes]:
    return lambda value: render(value).encode("utf-8", "surrogateescape")


def file(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


LEAVES = [
    build_leaf(
        event(number),
        index=number,
        at="2026-01-01T00:00:00.000Z",
        previous=number - 1 if number % 4 else None,
        clock_back=number == 3,
        entropy=lambda count: bytes(range(count)),
    )
    for number in range(4)
]
STATEMENTS: list[Statement] = [
    ApprovalStatement(
        items=((ItemId("i-7k3m9q2x"), DIGEST), (ItemId("i-7k3m9q2y"), DIGEST)),
        public=True,
        risk=Risk.LOW,
        campaign=CampaignId("open-day"),
        policy=DIGEST,
        note=None,
        at=AT,
        by=HELEN,
    ),
    RefusalStatement(items=((ItemId("i-7k3m9q2x"), DIGEST),), reason=DIGEST, at=AT, by=HELEN),
    CampaignStatement(
        campaign=CampaignId("open-day"), account="@university", starts=date(2026, 1, 1), ends=date(2026, 2, 1),
        risk=Risk.HIGH, details=DIGEST, after=None, at=AT, by=HELEN,
    ),
    EnrolmentStatement(person=HELEN, role=Role.APPROVER, public_key=KEY.public_key, after=None, at=AT, by=HELEN),
    DisableStatement(person=HELEN, reason=DIGEST, after=DIGEST, at=AT, by=HELEN),
    PauseStatement(paused=True, reason=DIGEST, after=None, at=AT, by=HELEN),
]  # fmt: skip
TEXTS = [render_statement(statement).encode() for statement in STATEMENTS]
NOTES = [sign_note(one.decode(), [Ed25519Signer(HELEN, KEY.seed)]).encode() for one in TEXTS]
MANIFESTS = [
    Manifest(
        origin="tests.example/log",
        number=count + 1,
        at=AT,
        entries=tuple(
            ManifestEntry(
                number=number + 1,
                item=ItemId(f"i-7k3m9q2{number + 2}"),
                name=safe_name(f"Tür {number}.jpg".encode()),
                sha256=DIGEST,
                size=10 + number,
                media_type=Format.JPEG,
                released_at=AT,
                campaign=CampaignId("open-day") if number else None,
            )
            for number in range(count)
        ),
    )
    for count in (0, 1, 3)
]
COSIGNED = sign_note(
    file("checkpoint.7").decode().split("\n\n")[0] + "\n", [SIGNER, CosignatureSigner(SIGNER, 1767225600)]
).encode()
PEM = render_public_key(KEY.public_key).encode()
CHECKPOINTS = [file("checkpoint.7"), file("checkpoint.300"), file("checkpoint.300.mldsa"), COSIGNED]
RECEIPTS = [file(f"entry{n}.tlog-proof") for n in (0, 200, 256, 299)]
CARRYING = [RECEIPTS[1].replace(b"@v1\n", b"@v1\nextra ZW50cnktMDAwMjAw\n", 1)]
VKEYS = [file("log.vkey").strip(), SIGNER.vkey.encode()]


def note_again(value: object) -> bytes:
    body, signatures = value  # type: ignore[misc]
    return (body + "\n" + "".join(signature.line for signature in signatures)).encode()


def vkey_again(value: object) -> str:
    return render_vkey(value.name, getattr(value, "kind", 1), value.public_key)  # type: ignore[attr-defined]


def fed(content: bytes) -> object:
    """What an auditor does with a leaf: decode it, and follow the approvals through it."""
    trail = Trail(root=None)
    trail.feed(0, decode_leaf(content))
    return trail.problems


FORMATS: dict[str, Parser] = {
    "note": Parser([*CHECKPOINTS, *NOTES[:2]], parse_note, note_again),
    "checkpoint": Parser(CHECKPOINTS[:3], lambda b: open_checkpoint(b, [LOG])),
    "cosigned checkpoint": Parser(CHECKPOINTS, lambda b: open_checkpoint(b, [WITNESS, POST_QUANTUM, SIGNER.verifier])),
    "checkpoint's text": Parser(
        [note.split(b"\n\n")[0] + b"\n" for note in CHECKPOINTS[:2]], text(parse_checkpoint), again(render_checkpoint)
    ),
    "receipt": Parser([*RECEIPTS, *CARRYING], parse_receipt, again(render_receipt)),
    "opened receipt": Parser(CARRYING + RECEIPTS, lambda b: open_receipt(parse_receipt(b), [LOG])),
    "verifier key": Parser(VKEYS, text(parse_vkey), again(vkey_again)),
    "witness's key": Parser(
        [file("witness.vkey").strip(), file("witness-mldsa.vkey").strip()], text(parse_witness_vkey), again(vkey_again)
    ),
    "bundle": Parser(
        [file("log300/tile/entries/001.p/44"), render_bundle([leaf.data for leaf in LEAVES] * 11)],
        lambda b: parse_bundle(b, 44),
        render_bundle,  # type: ignore[arg-type]
    ),
    "tile": Parser(
        [file("log300/tile/0/001.p/44"), bytes(44 * 32)],
        lambda b: parse_hashes(b, 44),
        b"".join,  # type: ignore[arg-type]
    ),
    "tile's name": Parser(
        [b"tile/entries/x001/x234/067.p/44", b"tile/0/000", b"tile/7/x001/000.p/255"],
        text(parse_tile_path),
        lambda tile: tile.path.encode(),  # type: ignore[attr-defined]
    ),
    "leaf": Parser(
        [leaf.data for leaf in LEAVES],
        parse_leaf,
        lambda leaf: render_canonical(leaf.body),  # type: ignore[attr-defined]
    ),
    "leaf, quickly": Parser([leaf.data for leaf in LEAVES], fed),
    "canonical JSON": Parser([LEAVES[0].data, b'[1,"\xc3\xa4",{"a":null}]'], parse_canonical, render_canonical),
    "JSON": Parser([LEAVES[0].data, b'[1,"\xc3\xa4",{"a":null}]'], decode_json),
    "disclosure": Parser(
        [LEAVES[0].disclosures[0].text.encode(), b"WyJhYWFhYWFhYWFhYWFhYWFhYWFhYWFhIiwiYSIsImIiXQ"],
        text(parse_disclosure),
        again(lambda disclosure: disclosure.text),  # type: ignore[attr-defined]
    ),
    "statement": Parser(TEXTS, text(parse_statement), again(render_statement)),  # type: ignore[arg-type]
    "signed statement": Parser(NOTES, text(lambda t: open_statement(t, lambda _: KEY.public_key))),
    "unverified statement": Parser(NOTES, text(read_unverified)),
    "manifest": Parser(
        [render_manifest(one).encode() for one in MANIFESTS],
        text(parse_manifest),
        again(render_manifest),  # type: ignore[arg-type]
    ),
    "signed manifest": Parser(
        [sign_note(render_manifest(one), [SIGNER]).encode() for one in MANIFESTS],
        lambda b: open_manifest(b, [SIGNER.verifier]),
    ),
    "the log's key": Parser(
        [render_key(SIGNER).encode(), render_key(Ed25519Signer("x", b"y" * 32)).encode()],
        text(parse_key),
        again(render_key),  # type: ignore[arg-type]
    ),
    "the first approver's key": Parser(
        [render_root(Root(person=HELEN, public_key=KEY.public_key)).encode()] * 2,
        text(parse_root),
        again(render_root),  # type: ignore[arg-type]
    ),
    "a public key": Parser([PEM, render_public_key(SigningKey(b"p" * 32).public_key).encode()], parse_public_key),
}
NAMES = sorted(FORMATS)


def tried(form: Parser, content: bytes) -> bool:
    """Whether it was accepted; and then it has to be its own spelling."""
    try:
        value = form.parse(content)
    except TransferError:
        return False
    if form.render is not None:
        assert form.render(value).removesuffix(b"\n") == content.removesuffix(b"\n")
    return True


def mutations(seeds: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """Flips, insertions, deletions, doublings, cuts and splices, several at a time."""
    pieces = [b"\n", b"\n\n", b" ", b"0", b"-", b"+", b'"', b"\\", b"\0", b"\xff", b"\xed\xa0\x80", b"\xe2\x80\x94 ",
              b"1e9", b"[" * 300, b"9" * 5000, b"{}", b"null", b"true", b"\\ud800", b"=", b"\r",
              b"\xc2\xa0"]  # fmt: skip
    for _ in range(ROUNDS):
        content = bytearray(chance.choice(seeds))
        for _ in range(chance.choice([1, 1, 1, 2, 3, 6])):
            where = chance.randrange(len(content) + 1)
            end = min(len(content), where + chance.choice([1, 2, 4, 9, 33, 400]))
            match chance.randrange(7):
                case 0 if where < len(content):
                    content[where] ^= 1 << chance.randrange(8)
                case 1 if where < len(content):
                    content[where] = chance.randrange(256)
                case 2:
                    content[where:where] = chance.choice(pieces)
                case 3:
                    del content[where:end]
                case 4:
                    content[where:where] = content[where:end]
                case 5:
                    del content[where:]
                case _:
                    other = chance.choice(seeds)
                    content[where:] = other[chance.randrange(len(other)) :]
        yield bytes(content)


@pytest.mark.parametrize("name", NAMES)
def test_the_seeds_are_accepted(name: str) -> None:
    form = FORMATS[name]
    if name == "opened receipt":
        assert tried(form, form.seeds[0])
        return
    assert len(form.seeds) > 1
    for seed in form.seeds:
        if not (name == "checkpoint" and seed == COSIGNED):
            assert tried(form, seed), seed


@pytest.mark.parametrize("name", NAMES)
def test_mutations(name: str) -> None:
    form, chance = FORMATS[name], random.Random(f"mutations of a {name}")
    for content in mutations(form.seeds, chance):
        tried(form, content)


@pytest.mark.parametrize("name", NAMES)
def test_every_cut_and_every_byte_changed(name: str) -> None:
    """Cut at each place; each byte one bit off, left out, and given twice."""
    form = FORMATS[name]
    seed = min(form.seeds, key=len)
    stride = max(1, len(seed) // 700)
    for at in range(0, len(seed), stride):
        for content in (
            seed[:at],
            seed[at + 1 :],
            seed[:at] + bytes([seed[at] ^ 1]) + seed[at + 1 :],
            seed[:at] + seed[at + 1 :],
            seed[: at + 1] + seed[at:],
        ):
            tried(form, content)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=max(60, ROUNDS // 30), deadline=None)
@given(garbage=st.binary(max_size=400))
def test_any_bytes(name: str, garbage: bytes) -> None:
    tried(FORMATS[name], garbage)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=max(30, ROUNDS // 60), deadline=None)
@given(data=st.data())
def test_any_text_within(name: str, data: st.DataObject) -> None:
    """Any characters in the middle of something valid."""
    seed = data.draw(st.sampled_from(FORMATS[name].seeds))
    at = data.draw(st.integers(0, len(seed)))
    tried(FORMATS[name], seed[:at] + data.draw(st.text(max_size=20)).encode("utf-8", "surrogatepass") + seed[at:])


def test_key_files(tmp_path: Path) -> None:
    """The files on the disk, whatever they hold: both kinds of keys, read by what the commands read them with."""
    make_key(tmp_path / "person", entropy=lambda count: b"k" * count)
    (tmp_path / "log").write_text(render_key(SIGNER) + "\n")
    chance = random.Random(11)
    seeds = [(tmp_path / "person").read_bytes(), (tmp_path / "log").read_bytes(), PEM]
    target = tmp_path / "key"
    for content in itertools.islice(mutations(seeds, chance), ROUNDS // 6):
        target.write_bytes(content)
        target.chmod(0o600)
        for load in (load_signing_key, load_key):
            with contextlib.suppress(TransferError):
                load(target)
