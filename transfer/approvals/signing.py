"""Statements as signed notes: the text, an empty line, and exactly one signature, by the person named in `by`. Pure.

What enters: an untrusted note, and a function that says which key its signer has (or raises, if it has none that
counts). What leaves: the statement with its note and digest, the signature checked. Nothing here decides who may sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transfer.approvals.statement import Statement
from transfer.approvals.statement_text import MAX_CHARACTERS, parse_statement, statement_sha256
from transfer.audit.notes import Ed25519Signer, Ed25519Verifier, Signature, parse_note, sign_note
from transfer.errors import Misuse, NotSo, Tampered
from transfer.model.identifiers import Sha256

_MAX_SIGNATURE = 200  # characters of one Ed25519 signature line under a pseudonym, with room
_ADVICE = "Sign the file that `transfer statement` wrote: `transfer sign STATEMENT --key FILE`."

# The y coordinates of the points of small order, sign bit cleared: with such a key a signature for any text can be
# made without any private key, and not every verifier refuses it.
_WEAK = frozenset(
    bytes.fromhex(point)
    for point in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


class Unvouched(NotSo):
    """No chain of signatures vouches for this: its signer was never enrolled, or did not sign these bytes.

    From a stranger that is the answer no; of a statement that stands in our records it means they were tampered with.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A statement whose signature was checked against `public_key`. `sha256` is of the whole note."""

    statement: Statement
    note: str
    sha256: Sha256
    public_key: str


def sign_statement(text: str, signer_seed: bytes) -> str:
    """The signed note of a statement, in the name of the person it names. Raises Misuse if it is malformed."""
    return sign_note(text, [Ed25519Signer(parse_statement(text).by, signer_seed)])


def read_unverified(untrusted: str) -> Statement:
    """What a note claims to state; nothing about it has been checked. Raises Misuse if it is malformed."""
    return _split(untrusted)[0]


def open_statement(untrusted: str, key_for: Callable[[Statement], str]) -> Signed:
    """The statement in a note that was signed by the person it names and by nobody else.

    `key_for` gives the signer's public key (64 hex digits) or raises, if they may not make this statement. Raises
    Misuse if the note is malformed, NotSo if the signature is not one of that key over these bytes.
    """
    statement, signature, text = _split(untrusted)
    public_key = key_for(statement)
    verifier = Ed25519Verifier(statement.by, bytes.fromhex(public_key))
    if signature.name != statement.by:
        raise Unvouched(
            f"The statement speaks for {statement.by} and is signed as {signature.name}.",
            advice="Everybody signs their own statements.",
            clauses=("G1",),
        )
    if signature.key_id != verifier.key_id:
        raise NotSo(
            f"The statement is signed with another key than the one enrolled for {statement.by}.",
            advice="Sign with the enrolled key, or have the new key enrolled: `transfer people add`.",
            clauses=("G1",),
        )
    if is_weak_key(public_key) or not verifier.verify(text, signature.blob):
        raise Unvouched(
            f"The signature is not one of {statement.by} over this text; one of them was changed or forged.",
            advice="Make the statement anew and sign that file unchanged.",
            clauses=("G1",),
        )
    return Signed(statement=statement, note=untrusted, sha256=statement_sha256(untrusted), public_key=public_key)


def is_weak_key(public_key: str) -> bool:
    """Whether this is one of the few keys for which anybody can sign."""
    point = bytearray.fromhex(public_key)
    point[31] &= 0x7F
    return bytes(point) in _WEAK


def _split(untrusted: str) -> tuple[Statement, Signature, str]:
    if len(untrusted) > MAX_CHARACTERS + _MAX_SIGNATURE:
        raise Misuse("This is not a signed statement: it is too long.", advice=_ADVICE)
    try:
        text, signatures = parse_note(untrusted)
    except Tampered as error:  # a stranger's text is not a record of ours
        raise Misuse(f"This is not a signed statement: {error.sentence}", advice=_ADVICE) from error
    if text + "\n" + signatures[0].line != untrusted:
        raise Misuse("A signed statement has exactly one signature, its signer's.", advice=_ADVICE)
    return parse_statement(text), signatures[0], text
