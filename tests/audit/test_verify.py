"""Verifying: what is checked, what is said, and that no change of any file or row passes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.audit.conftest import ORIGIN, Bench
from transfer.audit.canonical import render_canonical
from transfer.audit.checkpoint import Checkpoint, open_checkpoint, render_checkpoint
from transfer.audit.cosignature import parse_witness_vkey
from transfer.audit.merkle import leaf_hash, root_of
from transfer.audit.notes import Ed25519Signer, parse_vkey, sign_note
from transfer.audit.reader_folder import FolderReader
from transfer.audit.tiles import BUNDLE, Tile, parse_bundle, render_bundle, tiles_of
from transfer.audit.verify import verify_log
from transfer.errors import Misuse, NotSo, Tampered
from transfer.store import journal

VECTORS = Path(__file__).parent / "vectors"


def test_the_report_says_what_was_checked(published):
    published.record(3)
    report = published.verify_folder()
    assert (report.size, report.entries_checked, report.unpublished, report.unfinished) == (600, 600, 0, 0)
    assert report.tiles_checked == 3 + 3 + 1
    assert report.signatures_checked == (ORIGIN,)
    assert report.sentence.startswith("600 of 600 entries hashed again, 7 tiles and bundles compared, 1 signature")
    report = published.verify_database()
    assert (report.entries_checked, report.unpublished) == (600, 3)
    assert "NOT signed yet: the 3 entries after the checkpoint" in report.sentence
    assert (report.first_at, report.last_at[:10]) == ("2026-01-01T00:00:00.001Z", "2026-01-02")


def test_nothing_is_verified_over_nothing(bench):
    with pytest.raises(NotSo):
        bench.verify_folder()
    with pytest.raises(NotSo):
        bench.verify_database()
    bench.log_dir.mkdir()
    with pytest.raises(NotSo):
        bench.verify_folder()
    bench.record(1)
    with pytest.raises(NotSo):
        bench.verify_database()
    bench.publish()
    with pytest.raises(Misuse):
        verify_log(FolderReader(bench.log_dir), [])
    assert bench.verify_folder().entries_checked == 1


def test_an_empty_checkpoint_verifies_nothing(bench):
    bench.log_dir.mkdir()
    empty = render_checkpoint(Checkpoint(origin=ORIGIN, size=0, root=root_of([])))
    (bench.log_dir / "checkpoint").write_text(sign_note(empty, [bench.signer]))
    (bench.log_dir / "log.vkey").write_text(bench.signer.vkey + "\n")
    with pytest.raises(NotSo, match="empty"):
        bench.verify_folder()


# an older checkpoint


def test_an_older_checkpoint_is_the_beginning(bench):
    kept = {}
    for step in (1, 255, 1, 400, 3):
        bench.publish(step)
        kept[bench.verify_folder().size] = (bench.log_dir / "checkpoint").read_bytes()
    for size, note in kept.items():
        assert bench.verify_folder(older=note).pinned == size
        assert bench.verify_database(older=note).pinned == size


def test_a_rewritten_log_does_not_continue_the_older_one(published, tmp_path_factory):
    kept = (published.log_dir / "checkpoint").read_bytes()
    other = Bench(tmp_path_factory.mktemp("other"))
    other.clock.at = other.clock.at.replace(year=2027)
    other.publish(700)
    assert other.verify_folder().size == 700
    with pytest.raises(Tampered, match="first 600 entries do not have the root that the older checkpoint"):
        other.verify_folder(older=kept)
    short = Bench(tmp_path_factory.mktemp("short"))
    short.publish(500)
    with pytest.raises(Tampered, match="was cut: it had 600 entries once and has 500 now"):
        short.verify_folder(older=kept)
    with pytest.raises(Tampered, match="older checkpoint is not one"):
        published.verify_folder(older=kept.replace(b"600", b"599"))


# the statement check


def test_the_statement_check_sees_every_entry_and_its_word_counts(published):
    seen = []

    def check(leaves):
        seen.extend((index, leaf["event"]) for index, leaf in leaves)
        return []

    assert published.verify_folder(statement_check=check).statements_checked
    assert len(seen) == 600
    assert seen[3] == (3, "file.released")
    with pytest.raises(Tampered, match=r"Nobody approved i-1\. There are 1 more"):
        published.verify_folder(statement_check=lambda leaves: ["Nobody approved i-1.", "Nor i-2."])


def test_a_statement_check_that_stops_early_does_not_end_the_verification(published):
    path = published.log_dir / "tile/entries/002.p/88"
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    with pytest.raises(Tampered, match="Entry 599"):
        published.verify_folder(statement_check=lambda leaves: [str(next(leaves))][:0])


# tampering with the folder


def every_file(size: int) -> list[str]:
    tiles = [tile.path for tile in tiles_of(size)]
    bundles = [Tile(BUNDLE, tile.index, tile.width).path for tile in tiles_of(size) if tile.level == 0]
    return ["checkpoint", "log.vkey", *tiles, *bundles]


FILES = every_file(600)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "how", ["flip first", "flip middle", "flip last", "truncate", "append", "empty", "delete", "link"]
)
def test_no_changed_file_passes(published, name, how):
    path = published.log_dir / name
    content = bytearray(path.read_bytes())
    if how.startswith("flip"):
        content[{"first": 0, "middle": len(content) // 2, "last": -1}[how.split()[1]]] ^= 1
    changed = {"truncate": content[:-1], "append": content + b"\n", "empty": b""}.get(how, content)
    path.unlink()
    if how == "link":
        (published.folder / "copy").write_bytes(content)
        path.symlink_to(published.folder / "copy")
    elif how != "delete":
        path.write_bytes(changed)
    with pytest.raises(Tampered) as caught:
        published.verify_folder()
    assert caught.value.exit_code == 4


def test_every_bit_of_the_checkpoint_counts(published):
    path = published.log_dir / "checkpoint"
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(Tampered):
            published.verify_folder()


@pytest.mark.parametrize("index", [0, 7, 255, 256, 511, 512, 599])
def test_an_altered_entry_is_named(published, index):
    alter(published, index, lambda entry: entry.replace(b'"number":', b'"mumber":'))
    with pytest.raises(Tampered, match=rf"^Entry {index} is not what was signed"):
        published.verify_folder()


def test_an_altered_tile_is_named(published):
    for name, sentence in [
        ("tile/0/000", r"From entry 0 on.*in log/tile/0/000, and those are not the ones that were signed"),
        ("tile/0/002.p/88", r"From entry 512 on.*in log/tile/0/002\.p/88, and those are not"),
        ("tile/1/000.p/2", r"From entry 0 on.*in log/tile/1/000\.p/2, and those are not"),
    ]:
        path = published.log_dir / name
        content = path.read_bytes()
        path.write_bytes(b"\x00" + content[1:])
        with pytest.raises(Tampered, match=sentence):
            published.verify_folder()
        path.write_bytes(content)
    assert published.verify_folder().size == 600


def test_an_entry_altered_together_with_its_tile(published):
    alter(published, 300, lambda entry: entry.replace(b'"number":', b'"mumber":'))
    entries = parse_bundle((published.log_dir / "tile/entries/001").read_bytes(), 256)
    (published.log_dir / "tile/0/001").write_bytes(b"".join(map(leaf_hash, entries)))
    with pytest.raises(
        Tampered, match=r"Entries 256 to 511 are not what was signed: they do not fit log/tile/1/000\.p/2"
    ):
        published.verify_folder()


def test_a_wholly_rewritten_folder_fails_at_the_signature(published):
    entries = [
        parse_bundle((published.log_dir / Tile(BUNDLE, n, w).path).read_bytes(), w)
        for n, w in ((0, 256), (1, 256), (2, 88))
    ]
    entries[2][5] = entries[2][5].replace(b'"number":', b'"mumber":')
    (published.log_dir / "tile/entries/002.p/88").write_bytes(render_bundle(entries[2]))
    (published.log_dir / "tile/0/002.p/88").write_bytes(b"".join(map(leaf_hash, entries[2])))
    with pytest.raises(Tampered, match="first 600 entries do not have the root that the signed checkpoint states"):
        published.verify_folder()
    root = root_of([leaf_hash(entry) for bundle in entries for entry in bundle])
    forged = render_checkpoint(Checkpoint(origin=ORIGIN, size=600, root=root))
    (published.log_dir / "checkpoint").write_text(sign_note(forged, [Ed25519Signer(ORIGIN, bytes(32))]))
    with pytest.raises(Tampered, match="not what the log's key signed"):
        published.verify_folder()


def test_swapped_and_doubled_files(published):
    for one, other in [("tile/entries/000", "tile/entries/001"), ("tile/0/000", "tile/0/001")]:
        first, second = published.log_dir / one, published.log_dir / other
        a, b = first.read_bytes(), second.read_bytes()
        for x, y in [(b, a), (a, a), (b, b)]:
            first.write_bytes(x)
            second.write_bytes(y)
            with pytest.raises(Tampered):
                published.verify_folder()
        first.write_bytes(a)
        second.write_bytes(b)
    assert published.verify_folder().size == 600


@pytest.mark.parametrize("to", [599, 512, 256, 1])
def test_an_older_checkpoint_put_back_leaves_files_behind_that_it_does_not_cover(published, to):
    """The entries after it show, as unpublished; the auditor's own newer checkpoint shows the cut."""
    kept = (published.log_dir / "checkpoint").read_bytes()
    with published.db.read() as tx:
        root = root_of(journal.hashes(tx, 0, 0, to))
    text = render_checkpoint(Checkpoint(origin=ORIGIN, size=to, root=root))
    (published.log_dir / "checkpoint").write_text(sign_note(text, [published.signer]))
    report = published.verify_folder()
    assert (report.size, report.entries_checked, report.unpublished) == (to, to, 600 - to)
    with pytest.raises(Tampered, match="was cut"):
        published.verify_folder(older=kept)


def test_entries_that_do_not_follow_each_other(bench):
    """Signed by the gateway itself, but not a log as this gateway writes it."""
    good = {"at": "2026-01-01T00:00:00.000Z", "event": "file.held", "i": 0, "v": 1}
    following = {**good, "i": 1, "item": "i-00000001"}
    for second, sentence in [
        ({**following, "i": 0}, "number 0"),
        ({**following, "v": 2}, "version 2"),
        ({**following, "at": "2025-01-01T00:00:00.000Z"}, "before that of the entry before it"),
        ({**following, "prev": {"i": 0}}, "names 0 as the previous entry of its item; that is None"),
        ({**good, "i": 1, "prev": {"i": 0}}, "names a previous entry, but no item"),
        ({**following, "item": 1}, "not a text"),
        ({**following, "prev": []}, "names -1"),
        ({**following, "event": 1}, "number 1"),
        ([1], "not a JSON object"),
    ]:
        write_log(bench, [render_canonical(good), render_canonical(second)])
        with pytest.raises(Tampered, match=f"^Entry 1 .*{sentence}"):
            bench.verify_folder()
    third = {**following, "i": 2}
    write_log(bench, [render_canonical(entry) for entry in (good, following, third)])
    with pytest.raises(Tampered, match="names None as the previous entry of its item; that is 1"):
        bench.verify_folder()
    write_log(bench, [render_canonical(entry) for entry in (good, following, {**third, "prev": {"i": 1}})])
    assert bench.verify_folder().size == 3


def test_a_log_of_another_origin_or_key(published):
    reader = FolderReader(published.log_dir)
    with pytest.raises(Tampered, match=r"not other\.example"):
        verify_log(reader, [published.signer.verifier], origin="other.example")
    with pytest.raises(Tampered, match="None of the known keys"):
        verify_log(reader, [Ed25519Signer(ORIGIN, bytes(32)).verifier])


def test_a_key_beside_the_log_that_did_not_sign_it(published):
    (published.log_dir / "log.vkey").write_text(Ed25519Signer(ORIGIN, bytes(32)).vkey + "\n")
    with pytest.raises(Tampered, match=r"log\.vkey is not the key"):
        published.verify_folder()


def test_a_missing_checkpoint(published):
    (published.log_dir / "checkpoint").unlink()
    with pytest.raises(Tampered, match="checkpoint is missing"):
        published.verify_folder()


# an unpublished tail


def test_a_tail_that_a_crash_left_is_in_order(published):
    """All files of 700 entries, the checkpoint still of 600."""
    checkpoint = (published.log_dir / "checkpoint").read_bytes()
    partials = {path: (published.log_dir / path).read_bytes() for path in published.files() if ".p/" in path}
    published.publish(100)
    (published.log_dir / "checkpoint").write_bytes(checkpoint)
    report = published.verify_folder()
    assert (report.size, report.unpublished) == (600, 100)
    for path, content in partials.items():
        (published.log_dir / path).parent.mkdir(exist_ok=True)
        (published.log_dir / path).write_bytes(content)
    assert published.verify_folder().unpublished == 100
    for path in sorted(published.files(), reverse=True):  # as after a crash at any earlier moment
        if ".p/" not in path or path in partials or "entries" in path:
            continue
        (published.log_dir / path).unlink()
        assert published.verify_folder().unpublished == 100


def test_a_tail_that_does_not_fit_is_not(published):
    checkpoint = (published.log_dir / "checkpoint").read_bytes()
    published.publish(300)
    (published.log_dir / "checkpoint").write_bytes(checkpoint)
    assert published.verify_folder().unpublished == 300
    for name in ("tile/0/002", "tile/0/003.p/132", "tile/entries/003.p/132", "tile/entries/002", "tile/1/000.p/3"):
        path = published.log_dir / name
        content = path.read_bytes()
        path.write_bytes(content[:-2] + b"xx")
        with pytest.raises(Tampered):
            published.verify_folder()
        path.write_bytes(content)
    (published.log_dir / "tile/entries/003.p/132").unlink()
    with pytest.raises(Tampered, match="no place in a log of 768 entries"):
        published.verify_folder()


def test_a_folder_that_is_published_into_meanwhile(published, monkeypatch):
    """The partial tiles of the checkpoint that was read are gone by the time they are needed."""
    reader = FolderReader(published.log_dir)
    survey = FolderReader.survey

    def survey_then_grow(self, size):
        seen = survey(self, size)
        published.publish(100)
        published.publish(100)
        return seen

    monkeypatch.setattr(FolderReader, "survey", survey_then_grow)
    assert verify_log(reader, [published.signer.verifier]).size == 600


# the database


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ("UPDATE audit_entry SET leaf = CAST(replace(leaf, 'held', 'hold') AS BLOB) WHERE i = 5", "Entry 5 is not"),
        ("UPDATE audit_entry SET h = zeroblob(32) WHERE i = 5", "From entry 5 on.*not the ones that were signed"),
        ("UPDATE audit_entry SET h = zeroblob(31) WHERE i = 5", "entries 0 to 255, some are missing or damaged"),
        ("UPDATE audit_entry SET h = CAST(h || x'00' AS BLOB) WHERE i = 599", "entries 512 to 599, some are"),
        ("UPDATE audit_node SET h = zeroblob(32) WHERE n = 1", "From entry 256 on.*tree nodes"),
        ("DELETE FROM audit_entry WHERE i = 5", "lacks"),
        ("DELETE FROM audit_entry WHERE i > 510", "lacks"),
        ("DELETE FROM audit_node WHERE n = 0", "tree nodes.*some are missing"),
        ("UPDATE audit_head SET peaks = zeroblob(length(peaks))", "right edge"),
        ("UPDATE audit_head SET size = 512, peaks = (SELECT substr(peaks, 1, 32) FROM audit_head)", "more entries"),
        ("UPDATE audit_head SET signed_note = replace(signed_note, '600', '601')", "not what the log's key signed"),
        ("DELETE FROM audit_head", "head is missing"),
        ("UPDATE audit_index SET event = 'file.held' WHERE i = 7", "Entry 7 .* index describes it otherwise"),
        ("UPDATE audit_index SET sha256 = NULL WHERE i = 599", "Entry 599 .* index describes it otherwise"),
        ("DELETE FROM audit_index WHERE i = 300", "index lacks some of the entries 256 to 511"),
    ],
)  # fmt: skip
def test_an_edited_database(published, edit, sentence):
    published.sql(edit)
    with pytest.raises(Tampered, match=sentence):
        published.verify_database()


# logs of others


def test_the_log_of_the_vectors_is_hashed_but_its_entries_are_not_ours():
    reader = FolderReader(VECTORS / "log300", bare=True)
    keys = [parse_vkey((VECTORS / "log.vkey").read_text().strip())]
    with pytest.raises(Tampered, match="Entry 0 is not as an entry of a transfer log"):
        verify_log(reader, keys)
    with pytest.raises(Tampered, match=r"log\.vkey is missing"):
        verify_log(FolderReader(VECTORS / "log300"), keys)


def test_a_witness_beside_the_log_key_is_reported(published):
    witness = parse_witness_vkey((VECTORS / "witness.vkey").read_text().strip())
    report = verify_log(FolderReader(published.log_dir), [published.signer.verifier, witness])
    assert len(report.signatures_checked) == 1


# helpers


def alter(bench: Bench, index: int, change) -> None:
    path = next(p for w in (256, 88) if (p := bench.log_dir / Tile(BUNDLE, index // 256, w).path).exists())
    width = 256 if ".p" not in str(path) else 88
    entries = parse_bundle(path.read_bytes(), width)
    changed = change(entries[index % 256])
    assert changed != entries[index % 256]
    entries[index % 256] = changed
    path.write_bytes(render_bundle(entries))


def write_log(bench: Bench, entries: list[bytes]) -> None:
    """A small log folder of just these entries, signed by the bench's own key."""
    shutil.rmtree(bench.log_dir, ignore_errors=True)
    hashes = [leaf_hash(entry) for entry in entries]
    text = render_checkpoint(Checkpoint(origin=ORIGIN, size=len(entries), root=root_of(hashes)))
    files = {
        Tile(BUNDLE, 0, len(entries)).path: render_bundle(entries),
        Tile(0, 0, len(entries)).path: b"".join(hashes),
        "checkpoint": sign_note(text, [bench.signer]).encode(),
        "log.vkey": f"{bench.signer.vkey}\n".encode(),
    }
    for name, content in files.items():
        (bench.log_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (bench.log_dir / name).write_bytes(content)
    assert json.loads(entries[0])["i"] == 0
    assert open_checkpoint(files["checkpoint"], [bench.signer.verifier]).checkpoint.size == len(entries)
