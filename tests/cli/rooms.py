"""Workspaces as the commands meet them: commands run in this process, through the program's own entry point."""

from __future__ import annotations

import gc
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from transfer.audit.keys import load_key
from transfer.audit.publish import Publisher
from transfer.cli.main import main
from transfer.model.states import State
from transfer.store.register import ItemRow
from transfer.wiring import LOG_KEY, Site, open_site
from transfer.workspace import Workspace


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


def call(*arguments: str | Path) -> Answer:
    """A command in this process, errors turned into exit codes as for a user."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code = 0
    with (
        mock.patch.object(sys, "argv", ["transfer", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return Answer(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


class Room:
    """One workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = Workspace(root)
        self.key = root / "demo" / "helen.key"
        self.vkey = root / "log" / "log.vkey"

    def call(self, *arguments: str | Path) -> Answer:
        """A command on this workspace."""
        return call(*arguments, "-w", self.root)

    def must(self, *arguments: str | Path) -> Answer:
        """A command that has to succeed."""
        answer = self.call(*arguments)
        assert answer.code == 0, (arguments, answer)
        return answer

    def gateway(self) -> None:
        """One round of the real gateway with its guard, confined, in processes of its own."""
        command = [sys.executable, "-m", "transfer", "run", "--once", "-q", "-w", str(self.root)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done

    @contextmanager
    def site(self) -> Iterator[Site]:
        """The workspace, opened."""
        site = open_site(self.workspace)
        try:
            yield site
        finally:
            site.db.close()

    def items(self) -> dict[str, ItemRow]:
        """The items by the name they were dropped under."""
        with self.site() as site, site.db.read() as tx:
            return {row.name.text: row for row in site.register.rows(tx)}

    def state(self, name: str) -> State:
        """Where the item of this name stands."""
        return self.items()[name].state

    def publish(self) -> None:
        """What a running gateway does within a second."""
        with self.site() as site:
            signer = load_key(self.workspace.keys / LOG_KEY)
            publisher = Publisher(
                db=site.db, log_dir=self.workspace.log, signer=signer, origin=signer.name, clock=site.clock
            )
            publisher.sign()
            publisher.publish()

    def copy(self, root: Path) -> Room:
        """The same workspace elsewhere, as a copied disk would have it."""
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("*.sock"))
        return Room(root)

    def roll_back_to(self, earlier: Room) -> None:
        """Puts the database of an earlier copy in place of this one's, as a restored disk would."""
        gc.collect()  # whatever a command of this process still had open
        shutil.rmtree(self.workspace.db)
        shutil.copytree(earlier.workspace.db, self.workspace.db)
