"""The two halves of the log's key: the private one, wherever it is kept, and the public one in `keys/log.vkey`.

What enters: an opened workspace. What leaves: a signer for who signs, a verifier for who only verifies; who needs the
public half does not read the private one. `keys/log.vkey` says under which key the log goes on: it is written when the
log is founded, when it is rotated, and by the first start of a program that knows of it.
"""

from __future__ import annotations

from transfer.audit.keys import load_key
from transfer.audit.notes import Ed25519Signer, Ed25519Verifier, parse_vkey
from transfer.audit.shards import is_over, label_of
from transfer.audit.signing import check_signed
from transfer.errors import Misuse
from transfer.store import journal
from transfer.store.durable import replace_file, world_errors
from transfer.wiring import Site
from transfer.workspace import Workspace


def load_signer(site: Site) -> Ed25519Signer:
    """The log's private key. Raises Misuse if it is missing, open to others, or not the key under which it goes on."""
    place = site.log_key
    signer, kept = load_key(place.require()), kept_verifier(site.workspace)
    if kept is not None and kept != signer.verifier:
        raise Misuse(
            f"{place.told} holds the key {signer.vkey}, and this log is signed with {kept.vkey}.",
            advice="Put that key in its place, or name the file that holds it as `key` under [log] in transfer.toml.",
        )
    return signer


def own_verifier(site: Site) -> Ed25519Verifier:
    """The public half, without a look at the private one where the workspace keeps it. Raises Misuse."""
    kept = kept_verifier(site.workspace)
    return load_signer(site).verifier if kept is None else kept


def kept_verifier(workspace: Workspace) -> Ed25519Verifier | None:
    """What `keys/log.vkey` says; None where it was not written yet. Raises Misuse for what is no verifier key."""
    path = workspace.log_verifier
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{path} cannot be read.", advice="Copy log/log.vkey of this log there.") from error
    return parse_vkey(text.removesuffix("\n"))


def keep_verifier(site: Site, vkey: str) -> bool:
    """Writes `keys/log.vkey`; whether it said something else before. Raises Unavailable."""
    path = site.workspace.log_verifier
    with world_errors(f"writing {path}"):
        if path.exists() and path.read_bytes() == f"{vkey}\n".encode():
            return False
        replace_file(path, f"{vkey}\n".encode(), mode=0o644)
    return True


def learn_verifier(site: Site) -> None:
    """A workspace from before `keys/log.vkey` gets it. Raises Misuse, and Tampered if the log was signed otherwise."""
    if kept_verifier(site.workspace) is None:
        signer = load_signer(site)
        with site.db.read() as tx:
            check_signed(journal.head(tx), signer, signer.name)
        keep_verifier(site, signer.vkey)


def is_overdue(site: Site, verifier: Ed25519Verifier) -> bool:
    """Whether the shard's year is over and the gateway cannot change the key by itself, since it is kept elsewhere."""
    return site.log_key.elsewhere and is_over(verifier.name, site.clock.now().year)


def overdue_sentence(verifier: Ed25519Verifier) -> str:
    """What `is_overdue` means."""
    return (
        f"The year of the log's shard {label_of(verifier.name)} is over; its key is kept elsewhere, so the gateway "
        "goes on with it."
    )


OVERDUE_ADVICE = (
    "Make the next key, `transfer audit new-key --out FILE`; then stop the gateway and run "
    "`transfer audit rotate --next-key FILE` (docs/keys.md)."
)
