"""`transfer audit verifier`: the page as a file, the same bytes that the documents state."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.cli.rooms import call
from tests.cli.test_formats import fits

TOP = Path(__file__).parents[2]


def test_it_writes_the_page_that_the_document_states(tmp_path: Path) -> None:
    out = tmp_path / "keep" / "verify.html"
    out.parent.mkdir()
    answer = call("audit", "verifier", "--out", out)
    assert answer.code == 0
    page = out.read_bytes()
    assert page == (TOP / "transfer" / "audit" / "static" / "verify.html").read_bytes()
    digest = hashlib.sha256(page).hexdigest()
    assert f"SHA-256 {digest}" in answer.out
    assert f"`{digest}`" in (TOP / "docs" / "auditing.md").read_text()
    again = call("audit", "verifier", "--out", out, "--json")  # the same again is no fault
    fits("audit-verifier", again.json)
    assert again.json == {"file": str(out), "bytes": len(page), "sha256": digest}


def test_it_needs_no_workspace_and_writes_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("audit", "verifier").code == 0
    assert os.listdir(tmp_path) == ["verify.html"]


def test_it_never_writes_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "verify.html").write_text("mine")
    answer = call("audit", "verifier", "--out", tmp_path / "verify.html")
    assert answer.code == 2
    assert "There is something else at" in answer.err
    assert (tmp_path / "verify.html").read_text() == "mine"
    assert call("audit", "verifier", "--out", tmp_path).code == 2
    missing = call("audit", "verifier", "--out", tmp_path / "no" / "folder.html")
    assert missing.code == 2
    assert "cannot be written" in missing.err
