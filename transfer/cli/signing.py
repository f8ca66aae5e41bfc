"""How a command comes by a signed statement: signed here, or elsewhere so that the key never comes near the gateway.

--as NAME --key FILE      drafts the statement, signs it and hands it in
--as NAME --draft         prints the statement, to be signed with `transfer sign`
--signature FILE          hands in what was signed
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.errors import Misuse

if TYPE_CHECKING:
    from transfer.approvals.statement_keys import SigningKey
    from transfer.model.identifiers import PersonId
    from transfer.store.database import WriteTx
    from transfer.wiring import Site

SignerOption = Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are, as enrolled with `people add`.")]
SignerKeyOption = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Your own signing key.")]
DraftOption = Annotated[
    bool, typer.Option("--draft", help="Print the statement only, to be signed elsewhere with `transfer sign`.")
]
SignatureOption = Annotated[
    Path | None, typer.Option("--signature", metavar="FILE", help="Hand in a statement that was signed elsewhere.")
]

_MAX_STATEMENT = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the command line said about who signs, and how."""

    name: str
    key: Path | None
    draft: bool
    signature: Path | None

    @property
    def given(self) -> bool:
        """Whether anything was said about signing."""
        return self.key is not None or self.draft or self.signature is not None


def signed_note(site: Site, means: Means, draft: Callable[[WriteTx, PersonId], str]) -> str | None:
    """The signed statement; None if it was only to be drafted, and was printed. Raises Misuse, NotSo."""
    if means.signature is not None:
        return read_statement(means.signature)
    if not means.name or not (means.key or means.draft):
        raise Misuse(
            "This takes a signature: say who you are with --as NAME, and name your key with --key FILE.",
            advice="To sign on another machine: --as NAME --draft, then `transfer sign`, then --signature FILE.",
            clauses=("G1",),
        )
    person = person_named(site, means.name)
    if means.key is None:
        with site.db.write() as tx:
            typer.echo(draft(tx, person), nl=False)
        return None
    return sign_draft(site, means.key, lambda tx: draft(tx, person))


def sign_draft(site: Site, key: Path, draft: Callable[[WriteTx], str]) -> str:
    """A statement drafted here and signed with the key in a file. Raises Misuse, NotSo."""
    from transfer.approvals.signing import sign_statement

    signing_key = load_key(key)  # before anything is kept
    with site.db.write() as tx:
        text = draft(tx)
    return sign_statement(text, signing_key.seed)


def load_key(path: Path) -> SigningKey:
    """The private key in a file. Raises Misuse, also if others can read it."""
    from transfer.approvals.statement_keys import load_signing_key

    return load_signing_key(path)


def person_named(site: Site, name: str) -> PersonId:
    """Who `--as NAME` is. Raises NotSo if nobody is called that, or they have been disabled."""
    from transfer.approvals.people import find

    with site.db.read() as tx:
        return find(tx, name, desk=site.desk).person


def read_statement(path: Path) -> str:
    """The text of a statement, signed or not. Raises Misuse."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_STATEMENT + 1)
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"The statement {path} cannot be read.", advice="Name the file that holds it.") from error
