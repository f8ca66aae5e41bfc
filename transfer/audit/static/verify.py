#!/usr/bin/env python3
"""Checks an evidence pack of a transfer log. One file; Python 3.8 or newer and nothing else.

    python3 verify.py PACK.zip --vkey FILE|TEXT --first-approver FILE|TEXT

PACK.zip may also be the folder it was unpacked into. The two keys are those that you were given by another way than
the pack: the log's verifier key and the first approver's. Without them the pack's own are taken, and it says so.

Exit codes: 0 everything fits · 1 there is nothing to verify · 2 a key or an argument is not what it should be ·
4 something was altered, is missing or does not belong there; one sentence says which. Trusted: the keys that you
bring, this file, Python; nothing in the pack. To read it, begin at `check`.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import stat
import struct
import sys
import zlib
from datetime import datetime, timedelta
from types import SimpleNamespace

MAX_BYTES = 512 * 1024 * 1024  # of a pack
MAX_FILE = 4 * 1024 * 1024  # of one file in it, but for the two of lines
MAX_ENTRIES, MAX_ENTRY = 20_000, 16_384  # how many, and bytes of one


class Refused(Exception):
    """The pack does not verify, or cannot: one sentence, and the exit code."""

    def __init__(self, sentence, code=4):
        super().__init__(sentence)
        self.code = code


def need(true, sentence, code=4):
    if not true:
        raise Refused(sentence, code)


# ---------------------------------------------------------------- Ed25519 (RFC 8032, section 5.1), verifying only
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)  # x, y, z, t with x = X/Z, y = Y/Z, t = XY/Z


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times_two_scalars(s, p, k, q):
    """[s]p + [k]q, bit by bit."""
    both, result = add(p, q), IDENTITY
    for bit in range(max(s.bit_length(), k.bit_length()) - 1, -1, -1):
        result = add(result, result)
        which = (s >> bit & 1) | (k >> bit & 1) << 1
        if which:
            result = add(result, (None, p, q, both)[which])
    return result


def decode_point(encoded):
    """The point, or None for 32 bytes that are not the one encoding of a point."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x * SQRT_M1 % P if (x * x - x2) % P else x
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


def encode_point(p):
    inverse = pow(p[2], P - 2, P)
    return (p[1] * inverse % P | (p[0] * inverse % P & 1) << 255).to_bytes(32, "little")


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed_by(key, signature, message):
    """Whether the 64 bytes are this key's signature. Refuses s of L or more, and keys of small order."""
    point = decode_point(key) if len(key) == 32 and len(signature) == 64 else None
    s = int.from_bytes(signature[32:], "little")
    if point is None or s >= L or encode_point(times_two_scalars(8, point, 0, point)) == encode_point(IDENTITY):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus = (P - point[0], point[1], point[2], P - point[3])
    return encode_point(times_two_scalars(s, BASE, k, minus)) == signature[:32]


# ---------------------------------------------------------------- keys and signed notes (C2SP signed-note)
def unbase64(text):
    """The bytes, or None for anything but the one standard spelling."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


def key_id(name, key):
    return hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4]


def parse_vkey(text, what, code=4):
    """(name, key) of `name+id+base64`."""
    found = re.fullmatch(r"([^+\s]+)\+([0-9a-f]{8})\+(\S+)", text)
    data = unbase64(found[3]) if found else None
    good = data and len(data) == 33 and data[0] == 1 and key_id(found[1], data[1:]).hex() == found[2]
    need(good, f"{what} is not an Ed25519 verifier key.", code)
    return found[1], data[1:]


def vkey(name, key):
    return f"{name}+{key_id(name, key).hex()}+{base64.b64encode(bytes([1]) + key).decode()}"


def split_note(data, what):
    """The text, and {(name, key id): signature}; nothing is verified yet."""
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{what} is not UTF-8.") from None
    text, blank, lines = note.rpartition("\n\n")
    need(
        not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", note) and blank and lines.endswith("\n"),
        f"{what} is not a signed note.",
    )
    signatures = {}
    for line in lines[:-1].split("\n"):
        found = re.fullmatch(r"— ([^\s+]+) (\S+)", line)
        blob = unbase64(found[2]) if found else None
        need(blob and len(blob) > 4 and len(signatures) < 100, f"{what} has a malformed signature line.")
        need((found[1], blob[:4]) not in signatures, f"{what} has two signatures by one key.")
        signatures[found[1], blob[:4]] = blob[4:]
    return text + "\n", signatures


def open_note(data, name, key, what):
    """The text, once this key has signed it."""
    text, signatures = split_note(data, what)
    signature = signatures.get((name, key_id(name, key)))
    need(signature is not None, f"{what} is not signed by {shown(name)} with the key {key_id(name, key).hex()}.")
    need(signed_by(key, signature, text.encode()), f"The signature of {shown(name)} under {what} is not good.")
    return text


# ---------------------------------------------------------------- the tree (RFC 6962; checking as in RFC 9162, 2.1.3.2)
def root_of(leaf, index, size, path):
    """The root to which a path leads, or None if its length does not fit."""
    position, last, root = index, size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            root = hashlib.sha256(b"\x01" + step + root).digest()
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\x01" + root + step).digest()
        position, last = position >> 1, last >> 1
    return root if last == 0 else None


def check_proof(proof, name, index, entry, size, root, checkpoint):
    head = b"c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n" % (base64.b64encode(entry), index)
    need(proof.startswith(head), f"{name} is not a proof of entry {index} as it stands in entries.jsonl.")
    need(proof.endswith(b"\n\n" + checkpoint), f"{name} ends with another checkpoint than the pack's.")
    middle = proof[len(head) : -len(checkpoint) - 1].decode("latin-1")
    path = [unbase64(line) for line in middle.split("\n")[:-1]]
    need(all(step and len(step) == 32 for step in path), f"{name} is malformed.")
    leaf = hashlib.sha256(b"\x00" + entry).digest()
    need(root_of(leaf, index, size, path) == root, f"{name} does not lead from entry {index} to the signed root.")


# ---------------------------------------------------------------- the pack's files, from a ZIP or a folder
NAMES = re.compile(
    r"README\.txt|checkpoint|disclosures\.jsonl|entries\.jsonl|log\.vkey|pack\.json|verify\.html|verify\.py"
    r"|policy/[0-9a-f]{64}\.txt|proofs/(?:[0-9]{8}|[1-9][0-9]{8,15})\.tlog-proof|statements/[0-9a-f]{64}\.note"
)
REQUIRED = ("README.txt", "checkpoint", "disclosures.jsonl", "entries.jsonl", "log.vkey", "pack.json", "verify.py")
LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
FOREIGN = "The ZIP is not written as packs are (%s); unpack it and name the folder."


def check_name(name, size):
    need(NAMES.fullmatch(name), f"{shown(name)} has no place in a pack.")
    need(size <= (MAX_BYTES if name.endswith(".jsonl") else MAX_FILE), f"{name} is too large for a pack.")


def read_zip(data):
    """{name: bytes}. Packs are written in one way only, so this reads no other: nothing compressed, nothing hidden."""
    files, directory, at, before = {}, b"", 0, ""
    while data[at : at + 4] == b"PK\x03\x04":
        need(at + LOCAL.size <= len(data), "The ZIP ends too early.")
        _, version, flags, method, time, day, crc, packed, size, length, extra = LOCAL.unpack_from(data, at)
        start = at + LOCAL.size + length
        name = data[at + LOCAL.size : start].decode("ascii", "replace")
        check_name(name, size)
        need((version, flags, method, time, day, packed, extra) == (20, 0, 0, 0, 33, size, 0), FOREIGN % name)
        need(name not in files, f"{name} is in the pack twice.")
        need(before < name and len(files) < 3 * MAX_ENTRIES, FOREIGN % (name + " is not in its place"))
        content = data[start : start + size]
        need(len(content) == size, f"{name} is cut short.")
        need(zlib.crc32(content) == crc, f"{name} is damaged: its checksum is another.")
        fixed = (b"PK\x01\x02", 788, 20, 0, 0, 0, 33, crc, size, size, length, 0, 0, 0, 0, 0o100644 << 16, at)
        directory += CENTRAL.pack(*fixed) + name.encode()
        files[name], before, at = content, name, start + size
    end = END.pack(b"PK\x05\x06", 0, 0, len(files), len(files), len(directory), at, 0)
    need(data[at:] == directory + end, FOREIGN % "its directory")
    return files


def read_folder(path):
    files, total = {}, 0
    for below, folders, names in os.walk(path):
        for name in sorted(folders + names):
            called = os.path.relpath(os.path.join(below, name), path).replace(os.sep, "/")
            facts = os.lstat(os.path.join(below, name))
            if stat.S_ISDIR(facts.st_mode) and called in ("policy", "proofs", "statements"):
                continue
            need(stat.S_ISREG(facts.st_mode), f"{shown(called)} has no place in a pack.")
            check_name(called, facts.st_size)
            with open(os.path.join(below, name), "rb") as file:
                files[called] = file.read(MAX_BYTES)
            total += len(files[called])
            need(total <= MAX_BYTES and len(files) <= 3 * MAX_ENTRIES, "The folder is too large for a pack.")
    return files


def read_pack(path):
    if os.path.isdir(path):
        return read_folder(path)
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    need(len(data) <= MAX_BYTES, "The file is too large for a pack.")
    return read_zip(data) if data else {}


# ---------------------------------------------------------------- entries
def parse_json(data, what):
    """The object in canonical JSON: sorted keys, no blanks, no floats (`int` refuses their spelling)."""
    try:
        value = json.loads(data.decode("utf-8"), parse_float=int, parse_constant=int)
        again = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        again, value = b"", None
    need(again == data and isinstance(value, dict), f"{what} is not canonical JSON.")
    return value


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def moment(text):
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", text):
        raise ValueError("no time")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")


def read_entries(data):
    """{index: (bytes, parsed)}, in order: numbers rise, time never goes back, each names its item's entry before it."""
    entries, newest, last_at = {}, {}, ""
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        what = f"Line {number} of entries.jsonl"
        need(len(line) <= MAX_ENTRY and number <= MAX_ENTRIES, f"{what} is more than a pack holds.")
        leaf = parse_json(line, what)
        index, at, item = leaf.get("i"), leaf.get("at"), leaf.get("item")
        good = repr(leaf.get("v")) == "1" and is_count(index) and isinstance(leaf.get("event"), str)
        need(good, f"{what} is no entry.")
        need(not entries or index > max(newest.get("", -1), -1), f"Entry {index} is not in its place.")
        try:
            moment(at)
        except (ValueError, TypeError):
            raise Refused(f"Entry {index} has no time.") from None
        need(at >= last_at, f"Entry {index} is from before the entry above it.")
        need(item is None or (isinstance(item, str) and item), f"Entry {index} has an item of another form.")
        before = newest.get(item) if item else None
        said = leaf["prev"].get("i") if isinstance(leaf.get("prev"), dict) else leaf.get("prev")
        if said is not None or before is not None:
            named = "" if before is None else f"; in the pack that is entry {before}"
            need(said == before, f"Entry {index} names entry {said} as the one before it of its item{named}.")
        entries[index], newest[item or ""], newest[""], last_at = (line, leaf), index, index, at
    return entries


def check_disclosures(data, entries):
    opened = set()
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        what = f"Line {number} of disclosures.jsonl"
        said = parse_json(line, what)
        index, text = said.get("i"), said.get("disclosure")
        need(is_count(index) and index in entries and isinstance(text, str), f"{what} opens no entry of the pack.")
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode("utf-8", "replace")).digest())
        commitments = entries[index][1].get("_sd")
        good = isinstance(commitments, list) and digest.decode().rstrip("=") in commitments
        need(good, f"{what} is not what entry {index} commits to.")
        try:
            parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8"))
        except (ValueError, RecursionError):
            parts = None
        need(isinstance(parts, list) and len(parts) == 3, f"{what} is no disclosure.")
        need([said.get("name"), said.get("value")] == parts[1:], f"{what} says something else than it opens.")
        need((index, text) not in opened, f"{what} is there twice.")
        opened.add((index, text))
    return len(opened)


# ---------------------------------------------------------------- who approved what
STOPPING = ("refusal", "withdrawal", "closing", "pause")  # an operator may sign these too
DECISIONS = ("approval", "review", "refusal", "withdrawal")
STATED = ("statement.accepted", "campaign.approved", "campaign.closed", "gateway.paused", "gateway.resumed")
SERIES = {"enrolment": "people", "disabling": "people", "pause": "line", "campaign": "campaign", "closing": "campaign"}


class Approvals:
    """Fed with every entry in order; refuses the first that was not covered by signatures at its moment."""

    def __init__(self, first, own_approvals):
        self.first, self.own_approvals, self.paused = first, own_approvals, False
        self.keys, self.roles, self.owners, self.heads = {}, {}, {}, {}
        self.campaigns, self.items, self.statements, self.releases = {}, {}, set(), 0
        self.carried = self.governing = 0  # how many entries after the first carry what older shards said

    def feed(self, index, leaf):
        event, facts = leaf["event"], leaf.get("facts", {})
        what = f"Entry {index} ({shown(event)})"
        try:
            carried = event in ("statement.carried", "file.carried")
            need(carried or not 0 < index <= self.carried, f"{what}: the shard says that it carries more than it does.")
            if event == "shard.opened":
                need(index == 0, f"{what}: a shard is opened by its first entry.")
                self.carried, self.governing = int(facts["carried"]), int(facts["statements"])
            elif carried:
                decides = event == "statement.carried" and "valid_until" not in facts
                first, last = (1, self.governing) if decides else (self.governing + 1, self.carried)
                need(first <= index <= last, f"{what} is carried over, and does not stand where a shard begins.")
                (self.take_in if event == "file.carried" else self.state)(leaf, facts, what)
            elif event in STATED or (event in ("person.enrolled", "person.disabled") and "statement" in facts):
                self.state(leaf, facts, what)
            elif event == "person.enrolled":
                need(facts.get("role") != "approver", f"{what} enrols an approver without a signature.")
            elif event == "person.disabled":
                need(not self.roles.get(facts["person"]), f"{what} disables a signer without a signature.")
            elif event == "file.spooled":
                self.take_in(leaf, {"campaign": facts.get("campaign")}, what)
            elif event == "file.held" and "review" in facts and leaf["item"] in self.items:
                which = (leaf["file"]["sha256"], leaf["policy"]["sha256"])
                self.items[leaf["item"]].reviews.setdefault(which, set()).update(facts["review"])
            elif event in ("file.approved", "file.releasing", "file.released", "release.restored"):
                self.follow(leaf, facts, what)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
            raise Refused(f"{what} lacks a fact that this kind of entry has.") from None

    def take_in(self, leaf, facts, what):
        """A new item; or one that is carried over, with the facts that tell how the older shard left it."""
        need(leaf["item"] not in self.items, f"{what} takes its item in twice.")
        hash((leaf["by"], facts.get("campaign")))  # texts, not lists: a TypeError is refused by `feed`
        new = {"quorum": max(1, int(facts.get("quorum", 1))), "stopped": str(facts.get("stopped", "")), "approvals": []}
        new.update(reviews={(made, policy): set(codes) for made, policy, codes in facts.get("reviews", ())})
        new.update(releasing={str(digest) for digest in facts.get("releasing", ())}, released=facts.get("released"))
        self.items[leaf["item"]] = SimpleNamespace(submitter=leaf["by"], campaign=facts.get("campaign"), **new)

    def state(self, leaf, facts, what):
        """A signed statement: by whom it must be, and what follows from it."""
        note = facts["statement"].encode("utf-8")
        text, signatures = split_note(note, "The statement in " + what)
        header, line, rest = text.split("\n")
        said = json.loads(line)
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
        need((header, rest, line) == ("oneway-transfer/statement/v1", "", canonical), f"{what}: no statement.")
        kind, by, sha256 = said["kind"], said["by"], hashlib.sha256(note).hexdigest()
        need(leaf["by"] == by and facts["statement_sha256"] == sha256, f"{what} names another statement or signer.")
        need(len(signatures) == 1, f"The statement in {what} has more than one signature.")
        past = leaf["event"] == "statement.carried" and "valid_until" in facts  # whether it counts, `why_not` says
        had = [key for key in self.owners if self.owners[key] == by and (by, key_id(by, key)) in signatures]
        need(not past or (had and kind == "approval"), f"{what}: no approval, or {shown(by)} never had that key.")
        key = had[0] if past else self.signer(said, kind, by, what)
        open_note(note, by, key, "the statement in " + what)
        need(moment(said["at"]) <= moment(leaf["at"]) + timedelta(minutes=5), f"{what} is of the future.")
        self.statements.add(sha256)
        if kind in SERIES:
            self.govern(leaf, said, kind, sha256, key, what)
        elif not past and (leaf["event"] != "statement.accepted" or kind not in DECISIONS):
            raise Refused(f"{what} holds a statement of the kind {shown(kind)}.")
        for name, digest in said["items"] if kind not in SERIES else ():
            item = self.items.get(name)  # of those that are not in the pack there is nothing to say
            if item and kind == "approval":
                need(said["public"] is True, f"{what} does not say PUBLIC.")
                item.approvals.append((said, digest, moment(facts["valid_until"]), key, sha256))
            elif item and kind == "review":
                need(by != item.submitter or self.own_approvals, f"{what} was reviewed by who handed the file in.")
                item.reviews.get((digest, said["policy"]), set()).difference_update(said["codes"])
            elif item:
                item.stopped = kind

    def signer(self, said, kind, by, what):
        """The key with which a statement has to be signed."""
        if not self.keys:
            own = kind == "enrolment" and said["person"] == by and said["role"] == "approver"
            need(own, f"{what}: the first statement is not the first approver's own enrolment.")
            key = bytes.fromhex(said["public_key"])
            self.first = self.first or (by, key)
            need(self.first == (by, key), f"{what}: the first approver is {shown(by)}, not the one you named.")
            return key
        allowed = {"approver", "operator"} if kind in STOPPING else {"approver"}
        need(by in self.keys, f"{what}: {shown(by)} is not enrolled by a signature.")
        need(self.roles[by] & allowed, f"{what}: {shown(by)} may not sign this.")
        return self.keys[by]

    def govern(self, leaf, said, kind, sha256, key, what):
        """Who may decide, campaigns, the pause: each statement names the one before it of its series."""
        wanted = {"enrolment": "person.enrolled", "disabling": "person.disabled", "campaign": "campaign.approved"}
        wanted.update(closing="campaign.closed", pause="gateway.paused" if said.get("paused") else "gateway.resumed")
        need(leaf["event"] in (wanted[kind], "statement.carried"), f"{what} holds a statement of the kind {kind}.")
        series = (SERIES[kind], said["campaign"] if SERIES[kind] == "campaign" else None)
        need(said["after"] == self.heads.get(series), f"{what}: a statement before this one is missing or doubled.")
        self.heads[series] = sha256
        if kind == "enrolment":
            key = bytes.fromhex(said["public_key"])
            need(self.owners.setdefault(key, said["person"]) == said["person"], f"{what}: one key for two persons.")
            self.keys[said["person"]] = key
            self.roles.setdefault(said["person"], set()).add(said["role"])
        elif kind == "disabling":
            self.roles[said["person"]] = set()
        elif kind == "pause":
            self.paused = said["paused"]
        elif kind == "campaign":
            self.campaigns[said["campaign"]] = said
        else:
            del self.campaigns[said["campaign"]]

    def follow(self, leaf, facts, what):
        """An item on its way out."""
        item, digest = self.items.get(leaf["item"]), leaf["file"]["sha256"]
        need(item, f"{what}: its item was never taken in.")
        need(leaf["event"] == "file.approved" or not item.stopped, f"{what}: it came after its {item.stopped}.")
        if leaf["event"] == "release.restored":
            need(digest == item.released, f"{what}: these bytes were not released before.")
            return
        if leaf["event"] == "file.released":
            need(digest in item.releasing, f"{what}: no valid approval of these bytes came before.")
            item.released, item.releasing, item.approvals = digest, set(), []  # they cover one release
            self.releases += 1
            return
        if leaf["event"] == "file.approved":
            item.quorum = max(1, int(facts["quorum"]))
        else:
            need(not self.paused, f"{what}: releasing was paused.")
            named = facts["statement_sha256"] in [approval[4] for approval in item.approvals]
            need(named, f"{what} names a statement that nobody handed in for it.")
            left = item.reviews.get((digest, leaf["policy"]["sha256"]))
            need(not left, f"{what}: nobody had reviewed {', '.join(map(shown, sorted(left or ())))}.")
            item.releasing.add(digest)
        whys = [self.why_not(leaf, item, digest, *approval[:4]) for approval in item.approvals]
        signers = {approval[0]["by"] for approval, why in zip(item.approvals, whys) if why is None}
        why = [why for why in whys if why] or ["too few have approved it"]
        need(len(signers) >= item.quorum, f"{what} was not covered by an approval: {why[-1]}.")

    def why_not(self, leaf, item, digest, said, approved, until, key):
        """Why an approval does not count at this moment; None if it does."""
        campaign = self.campaigns.get(said["campaign"])
        if self.keys.get(said["by"]) != key or "approver" not in self.roles.get(said["by"], ()):
            return "its signer was no approver then, or has another key"
        if approved != digest:
            return "the statement is about other bytes"
        if said["campaign"] != item.campaign or campaign is None:
            return "it is for another campaign, or for one that was not approved"
        if not campaign["starts"] <= leaf["at"][:10] <= campaign["ends"]:
            return "the campaign was not current"
        if said["by"] == item.submitter and not self.own_approvals:
            return "it was approved by the person who handed it in"
        if moment(leaf["at"]) > until:
            return "the approval had expired"
        return None if leaf["policy"]["sha256"] == said["policy"] else "it was approved under another policy"


# ---------------------------------------------------------------- the whole pack
def check(files, log_key=None, first=None, own_approvals=False):
    """The lines that say what was checked. `files` is {name: bytes}; the keys are (name, 32 bytes) or None."""
    need(files and files.get("entries.jsonl") != b"", "There is nothing to verify: the pack holds no entry.", 1)
    for name in REQUIRED:
        need(name in files, f"{name} is missing from the pack.")
        need(files[name][-1:] in (b"\n", b""), f"{name} is cut short.")
    key = parse_vkey(files["log.vkey"].decode("latin-1").rstrip("\n"), "log.vkey")
    need(log_key in (None, key), "log.vkey in the pack is not the key that you gave.")
    text = open_note(files["checkpoint"], key[0], key[1], "The checkpoint")
    stated = re.fullmatch(r"([^\s+]+)\n(0|[1-9][0-9]{0,15})\n(\S{44})\n", text)
    need(stated and unbase64(stated[3]), "The checkpoint does not state origin, size and root.")
    origin, size, root = stated[1], int(stated[2]), unbase64(stated[3])
    entries = read_entries(files["entries.jsonl"])
    for index, (line, _) in entries.items():
        name = f"proofs/{index:08}.tlog-proof"
        need(index < size, f"Entry {index} lies after the checkpoint.")
        need(name in files, f"{name} is missing from the pack.")
        check_proof(files[name], name, index, line, size, root, files["checkpoint"])
    for name in files:
        proven = name.startswith("proofs/") and int(name[7:-11])
        need(proven is False or proven in entries, f"{name} proves an entry that is missing from entries.jsonl.")
    about, before = check_contents(files, entries, {"origin": origin, "size": size}), check_shard(entries, key)
    approvals, opened = Approvals(first, own_approvals), check_disclosures(files["disclosures.jsonl"], entries)
    for index, (_, leaf) in entries.items():
        approvals.feed(index, leaf)
    facts = [leaf["facts"] for _, leaf in entries.values() if isinstance(leaf.get("facts"), dict)]
    notes = [each["statement"].encode() for each in facts if isinstance(each.get("statement"), str)]
    statements = {f"statements/{hashlib.sha256(note).hexdigest()}.note": note for note in notes}
    for name in sorted(set(statements) | {name for name in files if name.startswith("statements/")}):
        need(name in files, f"{name} is missing from the pack.")
        need(files[name] == statements.get(name), f"{name} is not a statement of the entries.")
    policies, missing = check_policies(files, entries, about["policies_missing"]), len(about["policies_missing"])
    bodies = [leaf for _, leaf in entries.values()]
    commitments = sum(len(leaf["_sd"]) for leaf in bodies if isinstance(leaf.get("_sd"), list))
    asked_for = " ".join(str(about["selection"].get(key, "")) for key in ("kind", "item", "campaign", "since", "until"))
    return [
        f"Verified: a part of the log {shown(origin)}, {len(entries)} of its {size} entries.",
        *before,
        f"  asked for      {len(about['asked'])} entries: {shown(' '.join(asked_for.split()))}",
        f"  governing      {len(about['governing'])} entries that approvals rest on",
        f"  time           {bodies[0]['at']} to {bodies[-1]['at']}",
        f"  proofs         {len(entries)} of {len(entries)} lead to the signed root {stated[3]}",
        f"  signatures     1 checkpoint; statements: {len(approvals.statements)}",
        f"  approvals      releases covered by signatures: {approvals.releases} of {approvals.releases}",
        f"  disclosures    {opened} of {commitments} names and texts are opened",
        f"  policies       {policies} of {policies + missing} texts are here",
        f"  log's key      {vkey(*key)}",
        f"  first approver {vkey(*approvals.first) if approvals.first else '(nobody is enrolled)'}",
    ]


def check_shard(entries, key):
    """A line about the shard before this one, whose last checkpoint the first entry has; none if there is none."""
    facts = entries[0][1].get("facts") if 0 in entries and entries[0][1]["event"] == "shard.opened" else {}
    try:
        for index in range(1, min(int(facts.get("statements", 0)), max(entries)) + 1):
            need(index in entries, f"Entry {index} is missing, a statement about who may decide that was carried over.")
        if not facts:
            return []
        need([facts["origin"], facts["vkey"]] == [key[0], vkey(*key)], "Entry 0 opens a shard of another name or key.")
        old, its = facts["previous"], parse_vkey(facts["previous"]["vkey"], "The key of the shard before")
        text = open_note(old["checkpoint"].encode("utf-8"), its[0], its[1], "the checkpoint of the shard before")
        same = (its[0], text) == (old["origin"], f"{its[0]}\n{old['size']}\n{old['root']}\n")
        need(same, "Entry 0 says something else of the shard before than its checkpoint does.")
        return [f"  shard before   {shown(its[0])}, {shown(old['size'])} entries, with the key {vkey(*its)}"]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refused("Entry 0 does not say which shard was before.") from None


def check_contents(files, entries, log):
    """pack.json, which says which entries were asked for; and the files that are no evidence but came with it."""
    about = parse_json(files["pack.json"][:-1], "pack.json")
    kinds = {"asked": list, "files": dict, "governing": list, "policies_missing": list, "selection": dict}
    good = all(isinstance(about.get(key), kinds[key]) for key in kinds)
    need(good and about.get("format") == "oneway-transfer/pack/v1", "pack.json is not of this format.")
    named = about["asked"] + about["governing"]
    need(all(is_count(index) for index in named), "pack.json names something else than entries.")
    need(sorted(named) == list(entries), "pack.json names other entries than entries.jsonl has.")
    asked, kind = about["asked"], about["selection"].get("kind")
    whole = asked and (kind in ("item", "campaign") or asked == list(range(asked[0], asked[-1] + 1)))
    need(whole and (kind != "all" or len(asked) == log["size"]), "Some of the entries asked for are missing.")
    need(about.get("log") == log, "pack.json names another log than the checkpoint.")
    for name in sorted(set(about["files"]) | {"README.txt", "verify.html", "verify.py"} & set(files)):
        digest = hashlib.sha256(files[name]).hexdigest() if name in files else None
        need(digest == about["files"].get(name), f"{shown(name)} is not the one that was packed.")
    return about


def check_policies(files, entries, missing):
    """Every policy that an entry names has its text here, or is said to be missing."""
    named = set()
    for _, leaf in entries.values():
        for place in (leaf.get("policy"), leaf.get("facts") if leaf["event"] == "policy.adopted" else None):
            if isinstance(place, dict) and isinstance(place.get("sha256"), str):
                named.add(f"policy/{place['sha256']}.txt")
    here = {name for name in files if name.startswith("policy/")}
    for name in sorted(here | named):
        need(name in named, f"{name} is named by no entry of the pack.")
        need((name in here) != (name[7:-4] in missing), f"{shown(name)} is missing from the pack.")
        same = name not in here or hashlib.sha256(files[name]).hexdigest() == name[7:-4]
        need(same, f"{name} is not the text of that policy: its SHA-256 is another.")
    need(len(missing) + len(here) == len(named), "pack.json says of other policies that they are missing.")
    return len(here)


def shown(text):
    """Text from the pack as a terminal may show it."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in str(text)[:200])


# ---------------------------------------------------------------- the command
def key_from(given, option):
    """A key as it was typed, or the file that holds it; None if the option was not given."""
    if given is not None and os.path.isfile(given):
        with open(given, "rb") as file:
            given = file.read(4096).decode("utf-8", "replace").rstrip("\r\n")
    return None if given is None else parse_vkey(given, f"What {option} names", 2)


def main():
    parser = argparse.ArgumentParser(description="Checks an evidence pack of a transfer log.", allow_abbrev=False)
    parser.add_argument("pack", help="the ZIP, or the folder it was unpacked into")
    parser.add_argument("--vkey", metavar="FILE|TEXT", help="the log's verifier key, as you were given it")
    parser.add_argument("--first-approver", metavar="FILE|TEXT", help="the first approver's key, as you were given it")
    parser.add_argument("--own-approvals", action="store_true", help="the policy lets people approve their own files")
    given = parser.parse_args()
    try:
        log_key, first = key_from(given.vkey, "--vkey"), key_from(given.first_approver, "--first-approver")
        report = check(read_pack(given.pack), log_key, first, given.own_approvals)
    except Refused as refused:
        sys.stderr.write(("NOT VERIFIED: " if refused.code == 4 else "") + f"{refused}\n")
        return refused.code
    except FileNotFoundError as error:
        sys.stderr.write(f"There is nothing to verify: {shown(error.filename)} is not there.\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"It cannot be read ({error.strerror}).\n")
        return 2
    if log_key is None or first is None:
        report[0] = report[0].replace("Verified:", "It fits together, but NOT against keys of your own:")
        report.append("Compare both keys above with those that you were given, or give them: --vkey, --first-approver.")
    sys.stdout.write("\n".join(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
