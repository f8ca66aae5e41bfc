"""The tampering matrix: what an attacker does to a real log, and the sentence with which it is refused, exit code 4.

Each case starts from its own copy of a workspace that has lived (`attacked.live`: some 680 entries, 80 releases). The
tables go from one bit of a file to the operator who holds the log's own key and signs another past. The doors are real
commands: `transfer audit verify` with a folder (an auditor with the log, its key and the first approver's key), with
the workspace, or with a receipt; and `transfer run`, which must refuse to start.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.audit.attacked import MALLORY, Attack, Scene, Story
from tests.audit.attacks_by_the_operator import (
    STRANGER,
    approve_with,
    approved_afterwards,
    by_herself,
    during_the_pause,
    enrol,
    in_accepted,
    in_entry,
    left_out,
    of_an_item,
    once_more,
    other_bytes,
    other_policy,
    other_signature,
    own_first_approver,
    pause_forgotten,
    put_back_other_bytes,
    raw,
    released_without_asking,
    sub,
    told,
    withdrawn_before,
    without,
)
from tests.audit.attacks_on_files import (
    altered,
    another_gateways,
    cut,
    entry_and_tile,
    entry_tile_and_the_one_above,
    flip,
    forks_note,
    from_the_fork,
    gone,
    in_bundle,
    in_checkpoint,
    in_its_place,
    kept_is,
    kept_of_mallory,
    kept_of_other_origin,
    mallory_signs,
    misnumbered,
    new,
    one_bit_of_entry,
    other_entry,
    other_letter,
    other_note,
    other_step,
    pull_up,
    put_back_the_kept,
    receipt,
    rewritten,
    set_line,
    shorter,
    swap_bundles,
    the_kept,
    the_newest,
    the_whole_fork,
)
from tests.audit.attacks_on_the_database import (
    SPOOLED,
    SWAPPED,
    altered_signature,
    forged_tail,
    leaf_and_hash,
    older_checkpoint,
    one_more_entry,
    other_checkpoint,
    other_keys_checkpoint,
    other_log,
    other_log_key,
    other_origin,
    other_root,
    own_enrolment,
    roll_back_database,
    roll_back_folder,
    rolled_back_and_went_on,
    run_sql,
    same_note,
)
from tests.cli.rooms import call
from transfer.audit.notes import Ed25519Signer
from transfer.audit.tiles import parse_tile_path, render_bundle

Row = tuple[str, Attack, str]
Door = Callable[[Scene], tuple[int, str]]


def says(event: str, sentence: str) -> str:
    return rf"Entry \d+ \({event.replace('.', '[.]')}\): {sentence}"


FOLDER: list[Row] = [
    # entries
    ("a bit of an entry", one_bit_of_entry(300), r"Entry 300 is not what was signed: .* its hash in log/tile/0/001"),
    ("a bit of the first entry", one_bit_of_entry(0), r"Entry 0 is not what was signed"),
    ("a bit of the last bundle", one_bit_of_entry(600), r"Entry 600 is not what was signed"),
    ("an entry dropped", in_bundle(1, lambda e: e.pop(44)), r"log/tile/entries/001 .* exactly 256 entries"),
    ("an entry dropped, the rest moved up", pull_up, r"log/tile/entries/002\.p/\d+ is missing|Entry 300 is not"),
    ("two entries swapped", in_bundle(1, lambda e: e.insert(44, e.pop(45))), r"Entry 300 is not what was signed"),
    ("entries of two bundles swapped", swap_bundles, r"Entry 7 is not what was signed"),
    ("an entry doubled over the next", in_bundle(1, lambda e: e.__setitem__(45, e[44])), r"Entry 301 is not what was"),
    ("an entry doubled and put in", in_bundle(1, lambda e: e.insert(45, e[44])), r"entries/001 .* exactly 256 entries"),
    ("an empty entry", in_bundle(1, lambda e: e.__setitem__(44, b"")), r"Entry 300 is not what was signed"),
    # bundles
    ("a bundle cut in an entry", cut("tile/entries/001", 4000), r"log/tile/entries/001 .* ends inside its entry \d+"),
    ("a bundle cut in a length", cut("tile/entries/000", 1), r"log/tile/entries/000 .* ends inside its entry 0"),
    ("an empty bundle", cut("tile/entries/001", 0), r"log/tile/entries/001 .* exactly 256 entries"),
    ("a bundle gone", gone("tile/entries/001"), r"log/tile/entries/001 is missing"),
    ("the last bundle gone", gone("tile/entries/002.p/{edge}"), r"log/tile/entries/002\.p/\d+ is missing"),
    ("a bundle of another log", from_the_fork("tile/entries/001"), r"Entry 256 is not what was signed"),
    ("a partial bundle that says otherwise", lambda s: new("tile/entries/000.p/9", render_bundle(s.entries(1)[:9]))(s),
     r"log/tile/entries/000\.p/9 and log/tile/entries/000 do not agree about entry 0"),
    # tiles
    ("a bit of a tile of leaf hashes", flip("tile/0/001", 44 * 32),
     r"From entry 300 on.* in log/tile/0/001, and those are not the ones that were signed"),
    ("a bit of the last tile", flip("tile/0/002.p/{edge}", 33), r"From entry 513 on.*log/tile/0/002\.p/\d+"),
    ("a bit of an upper tile", flip("tile/1/000.p/2", 32), r"From entry 256 on.* in log/tile/1/000\.p/2, and those"),
    ("a tile cut", cut("tile/0/001", 8191), r"log/tile/0/001 .* has 8191 bytes instead of 8192"),
    ("a tile gone", gone("tile/0/000"), r"log/tile/0/000 is missing"),
    ("an upper tile gone", gone("tile/1/000.p/2"), r"log/tile/1/000\.p/2 is missing"),
    ("a tile of another log", from_the_fork("tile/0/001"), r"From entry 256 on.*log/tile/0/001, and those are not"),
    ("an upper tile of another log", from_the_fork("tile/1/000.p/2"), r"From entry 0 on.*log/tile/1/000\.p/2, and"),
    ("a partial tile that contradicts the full one", new("tile/0/000.p/44", bytes(44 * 32)),
     r"From entry 0 on.* in log/tile/0/000\.p/44"),
    ("a tile of entries that are not there", new("tile/0/003", bytes(8192)),
     r"log/tile/0/003 has no place in a log of"),
    ("a tile wider than the log", new("tile/0/002.p/{beyond}", bytes(32)), r"log/tile/0/002\.p/\d+ has no place in"),
    ("a link in the place of a tile", in_its_place("tile/0/000", lambda p: p.symlink_to("../../../moved")),
     r"log/'tile/0/000' has no place"),
    ("a folder in the place of a tile", in_its_place("tile/0/000", Path.mkdir), r"log/'tile/0/000' has no place"),
    ("a pipe in the place of a tile", in_its_place("tile/0/000", os.mkfifo), r"log/'tile/0/000' has no place"),
    ("a pipe in the place of the checkpoint", in_its_place("checkpoint", os.mkfifo), r"log/'checkpoint' has no place"),
    ("an unknown file", new("notes.txt"), r"log/'notes\.txt' has no place"),
    ("an unknown file among the tiles", new("tile/0/000.bak"), r"log/'tile/0/000\.bak' has no place"),
    ("a tile of a level that no log has", new("tile/8/000"), r"log/'tile/8' has no place"),
    # made to fit
    ("an entry and its tile", entry_and_tile, r"Entries 256 to 511 are not what was signed.* log/tile/1/000\.p/2"),
    ("an entry and all tiles above it", entry_tile_and_the_one_above,
     r"The first \d+ entries do not have the root that the signed checkpoint states"),
    ("all but the checkpoint", rewritten(None), r"The first \d+ entries do not have the root that the signed check"),
    ("all, signed by another key", rewritten(mallory_signs), r"not what the log's key signed: None of the known keys"),
    ("all, with that key beside it", rewritten(mallory_signs, key=True), r"None of the known keys has signed"),
    ("the log of another gateway", another_gateways, r"not what the log's key signed: None of the known keys"),
    # the checkpoint and its key
    ("a letter of the root", in_checkpoint(set_line(2, lambda t: other_letter(t, 5))), r"The signature by .* not good"),
    ("the size", in_checkpoint(set_line(1, lambda t: str(int(t) - 1))), r"The signature by .* is not good"),
    ("the origin", in_checkpoint(set_line(0, lambda t: t + "x")), r"The signature by .* is not good"),
    ("a letter of the signature", in_checkpoint(set_line(4, lambda t: other_letter(t, -20))),
     r"The signature by .* not"),
    ("a letter of the key's id", in_checkpoint(set_line(4, lambda t: other_letter(t, t.rindex(" ") + 1))),
     r"None of the"),
    ("the signature twice", in_checkpoint(lambda lines: lines.insert(5, lines[4])), r"two signatures by one key"),
    ("the signature gone", in_checkpoint(lambda lines: lines.pop(4)), r"there are no signatures under the text"),
    ("a line more in the text", in_checkpoint(lambda lines: lines.insert(3, "more")), r"The signature by .* not good"),
    ("the checkpoint cut", cut("checkpoint", 60), r"The checkpoint is not what .*This is not a signed note"),
    ("an empty checkpoint", cut("checkpoint", 0), r"The checkpoint is not what .*This is not a signed note"),
    ("the checkpoint gone", gone("checkpoint"), r"The checkpoint is missing, although there are entries"),
    ("the key beside it swapped", lambda s: (s.log / "log.vkey").write_text(mallory_signs(s).vkey + "\n"),
     r"log\.vkey is not the key that signed the checkpoint"),
    ("a bit of the key beside it", flip("log.vkey", -9), r"log/log\.vkey is not what was published"),
    ("the key beside it gone", gone("log.vkey"), r"log/log\.vkey is missing"),
    ("not the log that it must be", lambda s: s.arguments.extend(["--origin", "other.example"]), r"not other\.example"),
    ("not the first approver that it must be", lambda s: s.first_approver.write_text(
        Ed25519Signer(MALLORY.person, MALLORY.key.seed).vkey + "\n"), r"Entry \d+ \(person\.enrolled\): .* is that of"),
    # against the checkpoint that the auditor kept
    ("a fork", kept_is(the_kept, the_whole_fork), r"The first \d+ entries do not have the root that the older check"),
    ("a cut log", kept_is(the_newest, shorter), r"The log was cut: it had \d+ entries once and has \d+ now"),
    ("the old checkpoint put back", kept_is(the_newest, put_back_the_kept), r"The log was cut: it had \d+ entries"),
    ("a kept checkpoint of another key", kept_is(kept_of_mallory), r"The older checkpoint is not one .*None of the"),
    ("a kept checkpoint of another log", kept_is(kept_of_other_origin), r"is of the log other\.example/audit, not of"),
]  # fmt: skip

OPERATOR: list[Row] = [
    # who may approve
    ("an approver enrolled without a signature", told(enrol(MALLORY, by=None, facts={"person": MALLORY.person, "role":
     "approver"})), says("person.enrolled", "An approver was enrolled without a signature")),
    ("an approver enrolled by their own signature", told(enrol(MALLORY, by=MALLORY)),
     says("person.enrolled", f"{MALLORY.person} is not enrolled by a signature that leads back to the first approver")),
    ("an approver enrolled by nobody", told(approve_with(MALLORY)),
     says("statement.accepted", f"{MALLORY.person} is not enrolled by a signature that leads back")),
    ("another first approver", told(own_first_approver), says("person.enrolled", f".* is that of {MALLORY.person}")),
    ("an enrolment left out", told(left_out("person.disabled")), says("person.enrolled", "Something else was decided")),
    ("the approver's key is another", told(lambda s: approve_with(replace(s.scene.helen, key=STRANGER))(s)),
     says("statement.accepted", "The statement is signed with another key than the one enrolled")),
    ("the submitter approved it", told(by_herself), says("file.approved", ".* was handed in by the person who would")),
    # what was approved
    ("a release of other bytes", told(other_bytes), says("file.releasing", "The statement is about other bytes")),
    ("a release nobody approved", told(without("accepted", "file.approved")),
     says("file.releasing", "Item .* was released on a statement that nobody handed in for it")),
    ("a release approved by nobody but the gateway", told(without("accepted")), says("file.approved", ".* lacks the")),
    ("a release on the approval of another item", told(released_without_asking),
     says("file.releasing", "Item i-zzzzzzz7 was released on a statement that nobody handed in for it")),
    ("a release without looking at its approval", told(without("file.releasing")),
     says("file.released", ".* no valid approval of these bytes came before")),
    ("a second release on one approval", told(once_more("file.released")),
     says("file.released", ".* no valid approval of these bytes came before")),
    ("other bytes put back", told(put_back_other_bytes), says("release.restored", ".* bytes that were not released")),
    ("an approval after the release", told(approved_afterwards), says("file.releasing", ".* nobody handed in for it")),
    ("an approval dated after the release", told(lambda s: approve_with(s.scene.helen, later=timedelta(days=1))(s)),
     says("statement.accepted", "The statement is dated .* in the future")),
    ("an approval that had expired", told(in_accepted(lambda b: b["facts"].__setitem__("valid_until",
     "2020-01-01T00:00:00.000Z"))), says("file.approved", "The approval of item .* had expired")),
    ("the signature of an approval", told(in_accepted(other_signature)),
     says("statement.accepted", "The signature is not one of")),
    ("a letter of an approval", told(in_accepted(lambda b: b["facts"].__setitem__("statement", b["facts"]["statement"]
     .replace('"risk":"low"', '"risk":"high"')))), says("statement.accepted", "The signature is not one of")),
    ("another signer named", told(in_accepted(lambda b: b.__setitem__("by", MALLORY.person))),
     says("statement.accepted", f"The entry names {MALLORY.person}")),
    ("another digest of the statement",
     told(in_accepted(lambda b: b["facts"].__setitem__("statement_sha256", "e" * 64))),
     says("statement.accepted", "The entry names another digest")),
    ("another policy", told(other_policy), says("file.releasing", ".* approved under another policy")),
    ("another campaign", told(in_entry("file.spooled", lambda b: b["facts"].__setitem__("campaign", "summer"))),
     says("file.approved", "Item .* belongs to the campaign summer")),
    ("a campaign nobody approved", told(left_out("campaign.approved")), says("file.approved", ".* is not approved")),
    ("an item taken in twice", told(once_more("file.spooled")), says("file.spooled", "Item .* was taken in twice")),
    ("a release of what was never taken in", told(without("file.spooled")),
     says("statement.accepted", "Item .* was never taken")),
    # what stops
    ("a release during a pause", told(during_the_pause), says("file.releasing", ".* while releasing was paused")),
    ("a pause that follows no other", told(pause_forgotten), says("gateway.paused", "Something else was decided")),
    ("a release after a withdrawal", told(withdrawn_before), says("file.releasing", ".* after its withdrawal")),
    # the form of entries
    ("the clock runs backwards", raw(300, lambda e: e.replace(b'"at":"20', b'"at":"19', 1)),
     r"Entry 300 is not as .*: its time 19.* is before that of the entry before it"),
    ("a time that is none", raw(300, sub(b'Z","', b'z","')), r"Entry 300 is not as .*'.*z' is not a time"),
    ("another number", raw(300, sub(b'"i":300', b'"i":301')), r"Entry 300 is not as .*: it says that it is number 301"),
    ("a number that is none", raw(1, sub(b'"i":1', b'"i":true')), r"Entry 1 is not as .*: .* it is number True"),
    ("another entry before", raw(of_an_item("file.released"), sub(b'"prev":{"i":', b'"prev":{"i":1')),
     r"Entry \d+ is not as .*: it names \d+ as the previous entry of its item; that is \d+"),
    ("no entry before", raw(of_an_item("file.released"), lambda e: e[: e.index(b'"prev"')] + b'"v":1}'),
     r"Entry \d+ is not as .*: it names None as the previous entry of its item; that is \d+"),
    ("another version", raw(300, sub(b'"v":1', b'"v":2')), r"Entry 300 is not as .*: it is of version 2"),
    ("a version that is none", raw(300, sub(b'"v":1', b'"v":true')), r"Entry 300 is not as .*: it is of version True"),
    ("a field twice", raw(of_an_item("file.held"), sub(b'"event":', b'"event":"file.released","event":')),
     r"Entry \d+ is not as .*: This is not JSON of the kind"),
    ("a fraction", raw(300, sub(b'"v":1', b'"v":1.0')), r"Entry 300 is not as .*: This is not JSON of the kind"),
    ("bytes behind an entry", raw(300, lambda e: e + b"\n"), r"Entry 300 is not as .*: There is something behind"),
    ("an entry that is none", raw(300, lambda e: b"[300]"), r"Entry 300 is not as .*: This entry is not a JSON object"),
    ("an empty entry, signed", raw(300, lambda e: b""), r"Entry 300 is not as .*: This is not JSON"),
]  # fmt: skip

WORKSPACE: list[Row] = [
    ("a leaf's row",
     run_sql("UPDATE audit_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'open-day', 'open-dax') AS "
     f"BLOB) WHERE i = ({SPOOLED})"), r"Entry \d+ is not what was signed: .* the database's recorded hashes"),
    ("a leaf and its hash", leaf_and_hash, r"Entries 256 to 511 are not what was signed.* the database's tree nodes"),
    ("a hash's row", run_sql("UPDATE audit_entry SET h = zeroblob(32) WHERE i = 300"),
     r"From entry 300 on.*the database's recorded hashes.*those are not the ones that were signed"),
    ("a node's row", run_sql("UPDATE audit_node SET h = zeroblob(32) WHERE n = 1"), r"From entry 256 on.*tree nodes"),
    ("the right edge", run_sql("UPDATE audit_head SET peaks = zeroblob(length(peaks))"), r"the database's right edge"),
    ("the size", run_sql("UPDATE audit_head SET size = 512, peaks = substr(peaks, 1, 32)"),
     r"database has more entries"),
    ("the head gone", run_sql("DELETE FROM audit_head"), r"The log's head is missing from the database"),
    ("an entry's row gone", run_sql("DELETE FROM audit_entry WHERE i = 300"), r"entries 256 to 511 the database lacks"),
    ("the last entries gone", run_sql("DELETE FROM audit_entry WHERE i > 600"),
     r"entries 512 to \d+ the database lacks"),
    ("a node's row gone", run_sql("DELETE FROM audit_node WHERE n = 0"), r"tree nodes.*some are missing"),
    ("an entry put in", one_more_entry, r"The database has more entries than the \d+"),
    ("an index row", run_sql("UPDATE audit_index SET event = 'file.held' WHERE i = 7"),
     r"Entry 7 .*index describes it"),
    ("the file of an index row", run_sql(f"UPDATE audit_index SET sha256 = NULL WHERE i = ({SPOOLED})"),
     r"Entry \d+ .*index describes it otherwise"),
    ("an index row gone", run_sql("DELETE FROM audit_index WHERE i = 300"),
     r"index lacks some of the entries 256 to 511"),
    ("the signed checkpoint's text", run_sql("UPDATE audit_head SET signed_note = replace(signed_note, char(10) || "
     "signed_size, char(10) || (signed_size - 1))"), r"The database's signed checkpoint .* The signature by"),
    ("the signed checkpoint's signer", other_keys_checkpoint, r"The database's signed checkpoint .* None of the known"),
    ("a second root for one size", other_checkpoint("audit_head"), r"Two different roots are signed for the size of"),
    ("a kept checkpoint of another root", other_checkpoint("audit_checkpoint"),
     r"the newest checkpoint it keeps is an"),
    ("an older checkpoint of another root", older_checkpoint(other_root),
     r"The first \d+ entries do not have the root that the checkpoint says which the database keeps"),
    ("an older checkpoint's signature", older_checkpoint(altered_signature),
     r"The checkpoint of \d+ entries that the database keeps is not one that the log's key signed"),
    ("an older checkpoint under another size", older_checkpoint(same_note, size="size + 1"),
     r"keeps as the checkpoint of \d+ entries is one of \d+ entries of"),
    ("an older checkpoint below all sizes", older_checkpoint(same_note, size="-7"),
     r"keeps as the checkpoint of -7 entries is one of"),
    ("an older checkpoint of another log", older_checkpoint(other_log),
     r"keeps as the checkpoint of \d+ entries is one of \d+ entries of other\.example/audit"),
    ("a kept checkpoint gone", run_sql("DELETE FROM audit_checkpoint WHERE size > 600"),
     r"the newest checkpoint it keeps"),
    ("a name of another entry", run_sql(SWAPPED),
     r"keeps as a name or text of entry \d+ is not what that entry commits"),
    ("another name",
     run_sql("UPDATE audit_disclosure SET disclosure = 'WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJh' WHERE i ="
     " (SELECT max(i) FROM audit_disclosure)"), r"keeps as a name or text of entry \d+ is not what that entry commits"),
    ("a name that nothing commits to", run_sql("INSERT INTO audit_disclosure VALUES (99999, 'x', 'y')"),
     r"keeps a text of entry 99999, which does not exist"),
    ("an approver in the directory only", run_sql("INSERT INTO person_role VALUES (?, 'approver')",
     values=lambda s: (s.bodies[s.where("file.spooled")]["by"],)), r"calls sam an approver, and no signature"),
    ("an approver's own enrolment put in", own_enrolment,
     r"do not agree: .* not enrolled by a signature that leads back"),
    ("a disabling gone from its table", run_sql("DELETE FROM statement WHERE kind = 'disabling'"),
     r"do not agree: .*Something else was decided"),
    ("a pause gone from its table", run_sql("DELETE FROM statement WHERE series = 'line'"),
     r"do not agree: .*last one"),
    ("a letter of a kept statement", run_sql("UPDATE statement SET note = replace(note, '\"risk\":\"low\"', "
     "'\"risk\":\"high\"') WHERE kind = 'campaign'"), r"do not agree: .*The signature is not one of"),
    ("the database rolled back", roll_back_database, r"The database was rolled back: .* \d+ .* signed only \d+"),
    ("rolled back and went on", rolled_back_and_went_on,
     r"The recorded hashes of the first \d+ entries do not have the"),
    ("the folder rolled back", roll_back_folder,
     r"The log's folder was rolled back: it shows \d+ .* \d+ were published"),
    ("the old checkpoint put back", put_back_the_kept, r"The log's folder was rolled back: it shows \d+ entries"),
    ("entries in the folder only", forged_tail, r"speaks of \d+ entries; the database has \d+"),
    ("a folder and database of two pasts", the_whole_fork,
     r"Two different roots are signed for the size of \d+ entries"),
    ("the log's key swapped", other_log_key,
     r"The checkpoint is not what the log's key signed: None of the known keys"),
    ("the first approver's key swapped", lambda s: (s.room.workspace.keys / "first-approver.vkey").write_text(
        Ed25519Signer(MALLORY.person, MALLORY.key.seed).vkey + "\n"), r"The first enrolment is that of"),
    ("the origin in the settings", other_origin, r"This is the log .*, not other\.example/audit"),
]  # fmt: skip

START: list[Row] = [
    ("the database rolled back", roll_back_database,
     r"The database was rolled back: the log's folder shows \d+ entries"),
    ("rolled back and went on", rolled_back_and_went_on,
     r"The database was edited\. .*first entry that differs .* is \d+"),
    ("a leaf and its hash", leaf_and_hash, r"The database was edited\. .*The first entry that differs .* is 300"),
    ("the last entries gone", run_sql("DELETE FROM audit_entry WHERE i > 600"), r"The database was edited\. .* lacks"),
    ("a folder of another past", the_whole_fork, r"Two different roots are signed for the size of \d+ entries"),
    ("the folder emptied", lambda s: (shutil.rmtree(s.log), s.log.mkdir()),
     r"The log's folder has no checkpoint, although \d+"),
    ("the log's key swapped", other_log_key, r"is not .* this gateway's"),
    ("an unknown file", new("notes.txt"), r"log/'notes\.txt' has no place in a log"),
]  # fmt: skip

PROVEN = r"The proof does not show that this is entry \d+ of the log of \d+ entries"
RECEIPT: list[Row] = [
    ("another index", receipt(lambda s, r: replace(r, index=r.index - 1)), PROVEN),
    ("an index beyond the log", receipt(lambda s, r: replace(r, index=s.size)), PROVEN),
    ("another step of the path", receipt(other_step), PROVEN),
    ("a step less", receipt(lambda s, r: replace(r, path=r.path[:-1])), PROVEN),
    ("a step more", receipt(lambda s, r: replace(r, path=(*r.path, bytes(32)))), PROVEN),
    ("another entry in it", receipt(other_entry), PROVEN),
    ("a letter of the entry", receipt(lambda s, r: replace(r, entry=altered(r.entry or b""))), PROVEN),
    ("the checkpoint of the fork", receipt(forks_note), PROVEN),
    ("the checkpoint of another key", receipt(other_note), r"None of the known keys has signed this note"),
    ("the checkpoint's size",
     receipt(lambda s, r: replace(r, note=r.note.replace(f"\n{s.size}\n", f"\n{s.size + 1}\n"))),
     r"The signature by .* is not good"),
    ("an entry under another number", misnumbered, r"The receipt proves entry 1, and the entry says of itself: 0"),
]  # fmt: skip


# the doors


def by_folder(scene: Scene) -> tuple[int, str]:
    auditor = ["--vkey", scene.vkey, "--first-approver", scene.first_approver]
    answer = call("audit", "verify", scene.log, *auditor, *scene.arguments)
    return answer.code, answer.err


def by_workspace(scene: Scene) -> tuple[int, str]:
    answer = scene.room.call("audit", "verify", *scene.arguments)
    return answer.code, answer.err


def by_receipt(scene: Scene) -> tuple[int, str]:
    answer = call("audit", "verify", scene.folder / "release.tlog-proof", "--vkey", scene.vkey)
    return answer.code, answer.err


def by_starting(scene: Scene) -> tuple[int, str]:
    command = [sys.executable, "-m", "transfer", "run", "--once", "-q", "-w", str(scene.room.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr


DOORS = [
    (by_folder, FOLDER),
    (by_folder, OPERATOR),
    (by_workspace, WORKSPACE),
    (by_receipt, RECEIPT),
    (by_starting, START),
]
CASES = [
    pytest.param(
        door, attack, sentence, id=f"{door.__name__}: {name}", marks=[pytest.mark.slow] if door is by_starting else []
    )
    for door, rows in DOORS
    for name, attack, sentence in rows
]


@pytest.mark.parametrize(("door", "attack", "sentence"), CASES)
def test_it_is_refused_with_the_right_sentence(scene: Scene, door: Door, attack: Attack, sentence: str) -> None:
    attack(scene)
    code, said = door(scene)
    said = " ".join(said.split())
    assert re.search(sentence, said), said
    assert code == 4, (code, said)


def test_untouched_it_verifies_at_every_door(scene: Scene) -> None:
    """Also when its own entries are signed and published once more: what the matrix finds is what was changed."""
    assert by_folder(scene)[0] == by_workspace(scene)[0] == 0
    receipt(lambda _, proof: proof)(scene)
    assert by_receipt(scene)[0] == 0
    kept_is(the_kept)(scene)
    assert by_folder(scene) == (0, "")
    before = {path: path.read_bytes() for path in scene.log.rglob("*") if path.is_file()}
    scene.sign_anew(Story(scene).leaves())
    assert {path: path.read_bytes() for path in scene.log.rglob("*") if path.is_file()} == before
    assert all(parse_tile_path(str(p.relative_to(scene.log))) for p in before if p.parts[-2] != "log")


def test_the_matrix_is_as_large_as_it_says() -> None:
    assert len(CASES) == len({case.id for case in CASES}) >= 150
