"""The quickXorHash of rebuilt files and of texts of ours, by which OneDrive tells bytes apart.

What enters: a blob by its digest, or a text. What leaves: 28 characters of base64, of exactly the approved bytes: the
SHA-256 is made in the same go, for a hash of other bytes would condemn the genuine file once it stands there.
"""

from __future__ import annotations

import hashlib

from transfer.errors import Tampered
from transfer.graph.quickxor import QuickXor
from transfer.graph.writer import CHUNK
from transfer.model.ends import ReadableBlobs
from transfer.model.identifiers import Sha256
from transfer.store.durable import world_errors


def quickxor_of_blob(blobs: ReadableBlobs, sha256: Sha256) -> str:
    """Of a rebuilt file, read once from end to end. Raises Tampered if it is not what its digest says, Unavailable."""
    hashed, digest = QuickXor(), hashlib.sha256()
    with world_errors("reading a rebuilt file"), blobs.open_clean(sha256) as content:
        while chunk := content.read(CHUNK):
            hashed.update(chunk)
            digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise Tampered(
            f"The rebuilt file {sha256[:16]}… is not the approved one any more; it is not released.",
            advice="Restore the blob from a backup, or withdraw the item.",
            clauses=("G5", "G6"),
        )
    return hashed.base64()


def quickxor_of_text(content: bytes) -> str:
    """Of a text of ours."""
    hashed = QuickXor()
    hashed.update(content)
    return hashed.base64()
