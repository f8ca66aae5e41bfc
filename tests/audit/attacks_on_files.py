"""What can be done to the files of a published log, to receipts and to the auditor's older checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.audit.attacked import MALLORY, Attack, Scene, publish
from transfer.audit.canonical import render_canonical
from transfer.audit.checkpoint import Checkpoint, render_checkpoint
from transfer.audit.merkle import leaf_hash, perfect_root
from transfer.audit.notes import Ed25519Signer, sign_note
from transfer.audit.receipts import Receipt, parse_receipt, render_receipt
from transfer.audit.tiles import BUNDLE, render_bundle

# what can be done to a file


def flip(path: str, at: int = 0) -> Attack:
    """One bit of one byte; `{edge}` stands for the width of the last tile."""

    def attack(scene: Scene) -> None:
        file = scene.log / named(scene, path)
        content = bytearray(file.read_bytes())
        content[at] ^= 1
        file.write_bytes(content)

    return attack


def named(scene: Scene, path: str) -> str:
    return path.format(edge=scene.size - 512, beyond=scene.size - 511)


def cut(path: str, keep: int) -> Attack:
    def attack(scene: Scene) -> None:
        file = scene.log / named(scene, path)
        file.write_bytes(file.read_bytes()[:keep])

    return attack


def gone(path: str) -> Attack:
    return lambda scene: (scene.log / named(scene, path)).unlink()


def new(path: str, content: bytes = b"x") -> Attack:
    def attack(scene: Scene) -> None:
        file = scene.log / named(scene, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    return attack


def in_its_place(path: str, make: Callable[[Path], object]) -> Attack:
    """Something else under the name of a file; the file's content lies beside the log."""

    def attack(scene: Scene) -> None:
        file = scene.log / path
        file.rename(scene.folder / "moved")
        make(file)

    return attack


def in_checkpoint(change: Callable[[list[str]], object]) -> Attack:
    """Its lines: origin, size, root, nothing, signature."""

    def attack(scene: Scene) -> None:
        file = scene.log / "checkpoint"
        lines = file.read_text().split("\n")
        change(lines)
        assert "\n".join(lines) != file.read_text()
        file.write_text("\n".join(lines))

    return attack


def set_line(number: int, change: Callable[[str], str]) -> Callable[[list[str]], object]:
    return lambda lines: lines.__setitem__(number, change(lines[number]))


def other_letter(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def in_bundle(index: int, change: Callable[[list[bytes]], object]) -> Attack:
    def attack(scene: Scene) -> None:
        entries = scene.entries(index)
        change(entries)
        assert entries != scene.entries(index)
        scene.put_entries(index, entries)

    return attack


def altered(entry: bytes) -> bytes:
    """With a field more, which any reader would pass over."""
    return entry[:-1] + b',"x":1}'


def swap_bundles(scene: Scene) -> None:
    one, other = scene.entries(0), scene.entries(1)
    one[7], other[7] = other[7], one[7]
    scene.put_entries(0, one)
    scene.put_entries(1, other)


def pull_up(scene: Scene) -> None:
    """An entry left out and all later ones moved up by one, in every bundle."""
    entries = [entry for index in range(3) for entry in scene.entries(index)]
    del entries[300]
    scene.tile(BUNDLE, 2).with_name(str(scene.size - 513)).write_bytes(render_bundle(entries[512:]))
    scene.put_entries(0, entries[:256])
    scene.put_entries(1, entries[256:512])
    scene.tile(BUNDLE, 2).unlink()


def rewritten(signer: Callable[[Scene], Ed25519Signer] | None, *, key: bool = False) -> Attack:
    """Entry 300 altered and every tile made to fit; then signed by whoever, and their key put beside it."""

    def attack(scene: Scene) -> None:
        leaves = [render_canonical(body) for body in scene.bodies]
        leaves[300] = altered(leaves[300])
        if signer is not None:
            vkey = (scene.log / "log.vkey").read_bytes()
            scene.sign_anew(leaves, signer=signer(scene))
            if not key:
                (scene.log / "log.vkey").write_bytes(vkey)
            return
        checkpoint = (scene.log / "checkpoint").read_bytes()
        scene.sign_anew(leaves)
        (scene.log / "checkpoint").write_bytes(checkpoint)

    return attack


def mallory_signs(scene: Scene) -> Ed25519Signer:
    return Ed25519Signer(scene.signer.name, MALLORY.key.seed)


def entry_and_tile(scene: Scene) -> None:
    entries = scene.entries(1)
    entries[44] = altered(entries[44])
    scene.put_entries(1, entries)
    scene.tile(0, 1).write_bytes(b"".join(map(leaf_hash, entries)))


def entry_tile_and_the_one_above(scene: Scene) -> None:
    entry_and_tile(scene)
    above = scene.tile(1, 0)
    above.write_bytes(above.read_bytes()[:32] + perfect_root([leaf_hash(e) for e in scene.entries(1)]))


def from_the_fork(path: str) -> Attack:
    def attack(scene: Scene) -> None:
        shutil.copy(scene.fork() / path, scene.log / path)

    return attack


def the_whole_fork(scene: Scene) -> None:
    fork = scene.fork()
    shutil.rmtree(scene.log)
    fork.rename(scene.log)


def another_gateways(scene: Scene) -> None:
    publish(
        [render_canonical(b) for b in scene.bodies], mallory_signs(scene), scene.folder / "f.db", scene.folder / "f"
    )
    shutil.rmtree(scene.log)
    (scene.folder / "f").rename(scene.log)


def shorter(scene: Scene) -> None:
    scene.sign_anew([render_canonical(body) for body in scene.bodies[:-20]])


def put_back_the_kept(scene: Scene) -> None:
    shutil.copy(scene.kept, scene.log / "checkpoint")


def kept_is(change: Callable[[Scene, Path], object], attack: Attack = lambda scene: None) -> Attack:
    """The auditor's own older checkpoint is given to the command."""

    def given(scene: Scene) -> None:
        attack(scene)
        change(scene, scene.folder / "older")
        scene.arguments += ["--older", scene.folder / "older"]

    return given


def the_kept(scene: Scene, older: Path) -> None:
    shutil.copy(scene.kept, older)


def the_newest(scene: Scene, older: Path) -> None:
    shutil.copy(scene.newest, older)


def kept_of_mallory(scene: Scene, older: Path) -> None:
    text = scene.kept.read_text().split("\n\n")[0] + "\n"
    older.write_text(sign_note(text, [mallory_signs(scene)]))


def kept_of_other_origin(scene: Scene, older: Path) -> None:
    text = render_checkpoint(Checkpoint(origin="other.example/audit", size=5, root=bytes(32)))
    older.write_text(sign_note(text, [scene.signer]))


def one_bit_of_entry(index: int) -> Attack:
    def change(entries: list[bytes]) -> None:
        entry = bytearray(entries[index % 256])
        entry[entry.index(b'"at":"') + 20] ^= 1
        entries[index % 256] = bytes(entry)

    return in_bundle(index // 256, change)


# receipts


def receipt(change: Callable[[Scene, Receipt], Receipt]) -> Attack:
    """The proof of the item's release, changed."""

    def attack(scene: Scene) -> None:
        path = scene.folder / "release.tlog-proof"
        scene.room.must("audit", "prove", scene.item, "--out", path)
        path.write_text(render_receipt(change(scene, parse_receipt(path.read_bytes()))))

    return attack


def misnumbered(scene: Scene) -> None:
    """The log's own key signed a log in which an entry says that it is another one."""
    leaves = [render_canonical(body) for body in scene.bodies[:2]]
    root = perfect_root([leaf_hash(leaf) for leaf in leaves])
    note = sign_note(render_checkpoint(Checkpoint(origin=scene.signer.name, size=2, root=root)), [scene.signer])
    proof = Receipt(entry=leaves[1], index=1, path=(leaf_hash(leaves[0]),), note=note)
    swapped = replace(proof, entry=leaves[0], index=1, path=(leaf_hash(leaves[1]),))
    turned = perfect_root([leaf_hash(leaves[1]), leaf_hash(leaves[0])])
    note = sign_note(render_checkpoint(Checkpoint(origin=scene.signer.name, size=2, root=turned)), [scene.signer])
    (scene.folder / "release.tlog-proof").write_text(render_receipt(replace(swapped, note=note)))


def other_entry(scene: Scene, proof: Receipt) -> Receipt:
    return replace(proof, entry=render_canonical(scene.bodies[scene.where("file.released", item=scene.other)]))


def other_step(scene: Scene, proof: Receipt) -> Receipt:
    return replace(proof, path=(*proof.path[:2], bytes(32), *proof.path[3:]))


def other_note(scene: Scene, proof: Receipt) -> Receipt:
    text = proof.note.split("\n\n")[0] + "\n"
    return replace(proof, note=sign_note(text, [mallory_signs(scene)]))


def forks_note(scene: Scene, proof: Receipt) -> Receipt:
    return replace(proof, note=(scene.fork() / "checkpoint").read_text())
