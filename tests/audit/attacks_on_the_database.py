"""What can be done to the database and to the workspace around it."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from tests.audit.attacked import MALLORY, Attack, Scene
from tests.audit.attacks_on_files import altered, mallory_signs
from transfer.approvals.statement import EnrolmentStatement, Role
from transfer.approvals.statement_text import render_statement, statement_sha256
from transfer.audit.canonical import render_canonical
from transfer.audit.checkpoint import Checkpoint, open_checkpoint, render_checkpoint
from transfer.audit.keys import render_key
from transfer.audit.merkle import leaf_hash
from transfer.audit.notes import sign_note
from transfer.audit.signing import sign_newest
from transfer.audit.tiles import BUNDLE, Tile, render_bundle
from transfer.model.clock import parse_time
from transfer.model.events import Event, EventName
from transfer.model.identifiers import Sha256
from transfer.store import journal


def run_sql(*statements: str, values: Callable[[Scene], tuple[object, ...]] = lambda scene: ()) -> Attack:
    return lambda scene: scene.sql(*statements, values=values(scene))


def leaf_and_hash(scene: Scene) -> None:
    leaf = altered(render_canonical(scene.bodies[300]))
    scene.sql("UPDATE audit_entry SET leaf = ?, h = ? WHERE i = 300", values=(leaf, leaf_hash(leaf)))


def one_more_entry(scene: Scene) -> None:
    leaf = render_canonical({**scene.bodies[-1], "i": scene.size})
    scene.sql("INSERT INTO audit_entry VALUES (?, ?, ?)", values=(scene.size, leaf, leaf_hash(leaf)))


def other_checkpoint(table: str) -> Attack:
    """Signed by the log's own key, for the same size: two roots."""

    def attack(scene: Scene) -> None:
        note = sign_note(
            render_checkpoint(Checkpoint(origin=scene.signer.name, size=scene.size, root=bytes(32))), [scene.signer]
        )
        column = {"audit_head": "signed_note", "audit_checkpoint": "note"}[table]
        key = {"audit_head": "signed_size", "audit_checkpoint": "size"}[table]
        scene.sql(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", values=(note, scene.size))

    return attack


def older_checkpoint(change: Callable[[Scene, int, str], str], *, size: str = "size") -> Attack:
    """The oldest that is kept, or one more at its side; the newest stays as it is."""

    def attack(scene: Scene) -> None:
        with scene.room.site() as site, site.db.read() as tx:
            oldest, note = journal.signed_notes(tx, 0, scene.size - 1)[0]
        changed = change(scene, oldest, note)
        scene.sql(f"UPDATE audit_checkpoint SET note = ?, size = {size} WHERE size = ?", values=(changed, oldest))

    return attack


def other_root(scene: Scene, size: int, _note: str) -> str:
    checkpoint = Checkpoint(origin=scene.signer.name, size=size, root=bytes(32))
    return sign_note(render_checkpoint(checkpoint), [scene.signer])


def altered_signature(_scene: Scene, _size: int, note: str) -> str:
    return note[:-20] + ("A" if note[-20] != "A" else "B") + note[-19:]


def same_note(_scene: Scene, _size: int, note: str) -> str:
    return note


def other_log(scene: Scene, size: int, _note: str) -> str:
    """Two names by one key: that of another log, whose signature stands beside ours."""
    checkpoint = Checkpoint(origin="other.example/audit", size=size, root=bytes(32))
    return sign_note(render_checkpoint(checkpoint), [scene.signer])


def other_keys_checkpoint(scene: Scene) -> None:
    text = scene.newest.read_text().split("\n\n")[0] + "\n"
    scene.sql("UPDATE audit_head SET signed_note = ?", values=(sign_note(text, [mallory_signs(scene)]),))


def own_enrolment(scene: Scene) -> None:
    """A row with Mallory's own enrolment behind the last one."""
    last = next(b for b in reversed(scene.bodies) if b["event"] == "person.enrolled" and "statement" in b["facts"])
    after = last["facts"]["statement_sha256"]
    statement = EnrolmentStatement(
        person=MALLORY.person,
        role=Role.APPROVER,
        public_key=MALLORY.key.public_key,
        after=Sha256(after),
        at=parse_time(last["at"]),
        by=MALLORY.person,
    )
    note = MALLORY.sign(render_statement(statement))
    scene.sql(
        "INSERT INTO statement (sha256, entry, kind, series, after, note) "
        "VALUES (?, 9999, 'enrolment', 'people', ?, ?)",
        values=(statement_sha256(note), after, note),
    )


def roll_back_database(scene: Scene) -> None:
    """The files of a moment ago, when the log was shorter, as a restored disk has them."""
    shutil.copytree(scene.room.workspace.db, scene.folder / "before")
    with scene.room.site() as site, site.db.write() as tx:
        site.log.append(tx, Event(name=EventName.GATEWAY_STOPPED))
    scene.room.publish()
    shutil.rmtree(scene.room.workspace.db)
    (scene.folder / "before").rename(scene.room.workspace.db)


def rolled_back_and_went_on(scene: Scene) -> None:
    roll_back_database(scene)
    with scene.room.site() as site:
        for _ in range(2):
            with site.db.write() as tx:
                site.log.append(tx, Event(name=EventName.GATEWAY_STARTED))
        sign_newest(site.db, scene.signer, scene.signer.name)


def roll_back_folder(scene: Scene) -> None:
    """To what it was when the auditor's checkpoint was new: a log in perfect order."""
    size = open_checkpoint(scene.kept.read_bytes(), [scene.signer.verifier]).checkpoint.size
    scene.sign_anew([render_canonical(body) for body in scene.bodies[:size]])
    assert (scene.log / "checkpoint").read_bytes() == scene.kept.read_bytes()


def forged_tail(scene: Scene) -> None:
    """Entries after the checkpoint that the database never had."""
    index, width = divmod(scene.size, 256)
    entries = [
        *scene.entries(index),
        render_canonical({"at": "2999-01-01T00:00:00.000Z", "event": "gateway.stopped", "i": scene.size, "v": 1}),
    ]
    (scene.log / Tile(BUNDLE, index, width + 1).path).write_bytes(render_bundle(entries))


def other_log_key(scene: Scene) -> None:
    """Both halves; the private one alone is refused by the next start (tests/cli/test_log_key.py)."""
    signer = mallory_signs(scene)
    (scene.room.workspace.keys / "log.key").write_text(render_key(signer) + "\n")
    scene.room.workspace.log_verifier.write_text(signer.vkey + "\n")


def other_origin(scene: Scene) -> None:
    file = scene.room.root / "transfer.toml"
    text = file.read_text()
    assert scene.signer.name in text
    file.write_text(text.replace(scene.signer.name, "other.example/audit", 1))


SWAPPED = (
    "UPDATE audit_disclosure SET i = (SELECT max(i) FROM audit_entry WHERE i NOT IN (SELECT i FROM audit_disclosure)) "
    "WHERE i = (SELECT min(i) FROM audit_disclosure)"
)
SPOOLED = "SELECT min(i) FROM audit_index WHERE event = 'file.spooled'"
