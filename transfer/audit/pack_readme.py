"""The README of an evidence pack: for somebody who never heard of the gateway and has five minutes. Pure.

What enters: what the pack is about, and the lines that its verifier prints over it. What leaves: the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BEGIN, END = "----- expected output -----", "----- end -----"

_TEXT = """\
EVIDENCE PACK
=============

A part of the transfer log "{origin}": {about}.

The log belongs to a gateway that lets media files go from a university to an isolated device and records every
step. This pack holds {entries} of the log's {size} entries, each proven to stand in it, unaltered and at its place; the
signed decisions of the people who approved what was released; and a program that checks all of it. Nothing in it has
to be believed.
{shard}
CHECK IT IN FIVE MINUTES
------------------------

1. You need Python 3.8 or newer and two keys, each one line, given to you by another way than this pack (on paper, by
   the head of department, from an earlier visit): the log's verifier key and the first approver's key. The log.vkey in
   the pack is a convenience: whoever could change the pack could change it too. The same holds for verify.py; another
   copy of it comes with every copy of the gateway's program. The one in this pack has the SHA-256
   {verifier}

2. Unpack it with any program, and run, in the folder above:

       python3 pack/verify.py pack --vkey log.vkey --first-approver first-approver.vkey{flags}

   where "pack" is the folder you unpacked into (the ZIP itself works too) and the two files hold your keys; a key may
   also be typed in place of a file's name.

3. Compare with what it must print, to the letter:

{begin}
{expected}
{end}

   It ends with exit code 0. With code 4, something was altered, is missing or does not belong there, and one sentence
   says which; 1: there is nothing to verify; 2: a key or an argument is not what it should be. Without your keys it
   says that it checked against the pack's own.

WHAT IS IN IT
-------------

pack.json                     which entries were asked for, and which are here only because approvals rest on them
entries.jsonl                 the entries, one a line; SHA-256 of a zero byte and the line (without its line feed) is
                              what the log's tree holds
checkpoint                    what the log signed last: its name, its number of entries, its root
proofs/NUMBER.tlog-proof      for each entry, that it is in the log with this root (C2SP tlog-proof, RFC 6962)
disclosures.jsonl             names and texts that were opened for you; entries hold only commitments to them
statements/SHA256.note        the signed statements that stand in the entries (C2SP signed-note)
policy/SHA256.txt             the rules that the entries name; `sha256sum` of the file is its name
log.vkey, verify.py, README.txt{page_name}   what came with it, no evidence
{missing}{page}
WHAT IT DOES NOT SAY
--------------------

It is a part. That something else happened as well (a withdrawal, a pause, a person disabled) shows in it only where the
entries here name it; the whole log shows everything. What no pack and no log can show stands in the gateway's
documentation for auditors, docs/auditing.md.
"""

_SHARD = """
The log goes on from shard to shard, each with a name and a key of its own, and this pack is of one of them. The one
before it was "{previous}". What was not at its end there was carried over into this one: signed
statements, with signatures that count here as there, and how each file stood, for which this shard alone has no more
than the gateway's word. What happened to a file before is in packs of the shard before, and in the whole log.
"""

_PAGE = """
verify.html checks single receipts, the files in proofs/, in a browser and without a network: open it, drop them on it.
"""


def render_readme(
    *,
    origin: str,
    size: int,
    entries: int,
    selection: Mapping[str, str],
    verifier_sha256: str,
    expected: Sequence[str],
    missing: Sequence[str],
    page: bool,
    own_approvals: bool,
    previous: str | None,
) -> bytes:
    """The file. `expected` is what the verifier prints; `missing` are policies whose text was not kept.

    `previous` is the name of the shard before, if the log has one.
    """
    gone = "".join(f"not kept: the text of policy  {digest}\n" for digest in missing)
    text = _TEXT.format(
        origin=origin,
        about=about(selection),
        entries=entries,
        size=size,
        verifier=verifier_sha256,
        flags=" --own-approvals" if own_approvals else "",
        begin=BEGIN,
        expected="\n".join(expected),
        end=END,
        page_name=", verify.html" if page else "",
        missing=gone,
        page=_PAGE if page else "",
        shard="" if previous is None else _SHARD.format(previous=previous),
    )
    return text.encode()


def about(selection: Mapping[str, str]) -> str:
    """What a selection is, in words; of an untrusted one, whatever it holds."""
    match selection.get("kind"):
        case "item":
            return f"what concerns the item {selection.get('item', '')}"
        case "campaign":
            return f"what concerns the campaign {selection.get('campaign', '')}"
        case "period":
            since, until = selection.get("since", "its beginning"), selection.get("until", "its last signature")
            return f"what happened from {since} until before {until}"
        case _:
            return "all of it, as far as it was signed"
