"""Logs and receipts verified by a program that shares no code with ours: Go's x/mod, as Debian has it (`goverify/`)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.audit.attacked import Attack, Scene, publish
from tests.audit.conftest import ORIGIN, Bench
from tests.audit.test_tampering_matrix import FOLDER, RECEIPT
from transfer.audit.notes import Ed25519Signer
from transfer.audit.proving import prove
from transfer.audit.receipts import render_receipt

GOCODE = Path("/usr/share/gocode")
VECTORS = Path(__file__).parent / "vectors"
# One thread and no signals between threads: on a busy machine, Go 1.19's compiler was seen to spin for ever.
CALM = {"GOMAXPROCS": "1", "GODEBUG": "asyncpreemptoff=1"}
# What only our own program refuses: the key beside the log is a convenience, approvals and names are not of the tree,
# and x/mod passes over a signature that it has seen before.
OURS_ALONE = {
    "the signature twice",
    "the key beside it swapped",
    "a bit of the key beside it",
    "the key beside it gone",
    "not the log that it must be",
    "not the first approver that it must be",
}
TAMPERED = [row for row in FOLDER if row[0] not in OURS_ALONE]
WRONG_RECEIPTS = [row for row in RECEIPT if row[0] != "an entry under another number"]  # its proof is a good one


@pytest.fixture(scope="session")
def goverify(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built without a network."""
    go = shutil.which("go")
    if go is None or not (GOCODE / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("this takes golang-go and golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("goverify")
    shutil.copy(Path(__file__).parent / "goverify" / "main.go", folder)
    here = {**CALM, "GOFLAGS": "-p=1", "GOPROXY": "off", "GOCACHE": str(folder / "cache")}
    here |= {"GO111MODULE": "off", "GOPATH": str(GOCODE)}
    built = subprocess.run(
        [go, "build", "-o", "goverify", "main.go"],
        cwd=folder,
        env={**os.environ, **here},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / "goverify"


def run(goverify: Path, *arguments: str | Path) -> tuple[int, str]:
    command = [goverify, *map(str, arguments)]
    here = {**os.environ, **CALM}
    done = subprocess.run(command, env=here, capture_output=True, text=True, check=False, timeout=120)
    assert "panic" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_the_log_of_a_real_gateway(goverify: Path, scene: Scene) -> None:
    vkey = scene.vkey.read_text()
    code, said = run(goverify, "log", scene.log, vkey, scene.kept)
    assert code == 0, said
    counts = rf"ok: {re.escape(scene.signer.name)}, {scene.size} entries in 3 bundles, 4 tiles, \d+ proofs, 1 signature"
    assert re.match(counts, said), said
    assert ", continues " in said
    for what in (scene.item, scene.other):
        receipt = scene.folder / f"{what}.tlog-proof"
        scene.room.must("audit", "prove", what, "--out", receipt)
        code, said = run(goverify, "receipt", receipt, vkey)
        assert (code, f"of {scene.size}," in said) == (0, True), said


@pytest.mark.parametrize("sizes", [(1,), (255, 1), (256, 1), (300,), (1, 299, 700, 4000)], ids=str)
def test_logs_of_all_shapes(goverify: Path, bench: Bench, sizes: tuple[int, ...]) -> None:
    """Published in steps; each former checkpoint is a beginning, entries are proven one by one."""
    for size in sizes:
        before = (bench.log_dir / "checkpoint").read_bytes() if bench.log_dir.exists() else b""
        (bench.folder / "older").write_bytes(before)
        bench.publish(size)
        older = [bench.folder / "older"] if before else []
        code, said = run(goverify, "log", bench.log_dir, bench.signer.vkey, *older)
        assert code == 0, said
    total = sum(sizes)
    assert f"ok: {ORIGIN}, {total} entries in {-(-total // 256)} bundles" in said
    with bench.db.read() as tx:
        for index in {0, total // 2, total - 1}:
            (bench.folder / "receipt").write_text(render_receipt(prove(tx, index)))
            assert run(goverify, "receipt", bench.folder / "receipt", bench.signer.vkey)[0] == 0


def test_a_log_of_three_levels(goverify: Path, tmp_path: Path) -> None:
    """66,000 entries: a full tile above the leaves' tiles, and one above that."""
    signer = Ed25519Signer(ORIGIN, bytes(range(32)))
    publish([f"entry-{i:06d}".encode() for i in range(66_000)], signer, tmp_path / "db", tmp_path / "log")
    code, said = run(goverify, "log", tmp_path / "log", signer.vkey)
    assert code == 0, said
    assert "66000 entries in 258 bundles, 261 tiles" in said
    content = bytearray((tmp_path / "log/tile/2/000.p/1").read_bytes())
    content[7] ^= 1
    (tmp_path / "log/tile/2/000.p/1").write_bytes(content)
    assert run(goverify, "log", tmp_path / "log", signer.vkey)[0] == 1


def test_the_vectors(goverify: Path) -> None:
    vkey = (VECTORS / "log.vkey").read_text()
    code, said = run(goverify, "log", VECTORS / "log300", vkey, VECTORS / "checkpoint.7")
    assert code == 0, said
    assert "300 entries in 2 bundles, 3 tiles" in said
    assert "continues 7 entries" in said


@pytest.mark.parametrize("attack", [pytest.param(attack, id=name) for name, attack, _ in TAMPERED])
def test_it_refuses_what_ours_refuses(goverify: Path, scene: Scene, attack: Attack) -> None:
    """The rows of the tampering matrix about the published folder."""
    attack(scene)
    older = [Path(one) for one in scene.arguments if one != "--older"]
    code, said = run(goverify, "log", scene.log, scene.vkey.read_text(), *older)
    assert code == 1, said
    assert said.startswith("goverify: ")


@pytest.mark.parametrize("attack", [pytest.param(attack, id=name) for name, attack, _ in WRONG_RECEIPTS])
def test_it_refuses_the_receipts_that_ours_refuses(goverify: Path, scene: Scene, attack: Attack) -> None:
    attack(scene)
    code, said = run(goverify, "receipt", scene.folder / "release.tlog-proof", scene.vkey.read_text())
    assert code == 1, said
