"""The world behind the service: its drives, the people who work in them, tokens, switches, faults, what was counted.

A test plays everybody with it, in the process of the emulator or in another one that has the same state folder open.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.graph.emulator.database import Database
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.faults import Faults
from tests.graph.emulator.identities import Identity
from tests.graph.emulator.items import Item
from tests.graph.emulator.service import Service
from tests.graph.emulator.switches import DEFAULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that was made."""

    token: str
    host: str
    method: str
    path: str
    query: str
    status: int | None
    fault: str | None
    user_agent: str | None
    client_request_id: str | None
    authorization: bool


class World:
    """Everything that a tenant holds."""

    def __init__(self, folder: Path, database: Database | None = None) -> None:
        self.database = database or Database(folder)
        self._service = Service(self.database)
        self._faults = Faults(self._service.tree)

    def close(self) -> None:
        """Ends the connection to the state."""
        self.database.close()

    # Drives and tokens

    def drive(
        self, name: str, *, kind: str = "documentLibrary", owner: Identity | None = None, quota: int | None = None
    ) -> Drive:
        """The drive of that name, made if there is none. `kind`: documentLibrary, business or personal."""
        with self.database.transaction():
            row = self.database.one("SELECT id FROM drives WHERE name = ?", name)
            if row is not None:
                return Drive(self._service, row["id"])
            identifier = "b!" + base64.urlsafe_b64encode(os.urandom(48)).decode()
            root = self._service.tree.insert(identifier, None, "root", "folder", {}, extra=None, at=0)
            self.database.run(
                "INSERT INTO drives VALUES (?,?,?,?,?,?)",
                *(identifier, name, kind, owner.id if owner else None, root.id, quota),
            )
        return Drive(self._service, identifier)

    def sign_in(self, token: str, identity: Identity, *, directory: bool = False) -> str:
        """Makes `token` a bearer token of somebody; `directory`: it may read groups."""
        self._service.access.issue(token, identity, directory=directory)
        return token

    def allow(self, token: str, role: str, drive: Drive, folder: str = "") -> None:
        """Lets an application `read`, `write` or all (`fullcontrol`) on a drive, or below a folder of it."""
        item = drive.item(folder).id if folder else None
        self._service.access.grant(token, role, drive.id, item)

    def member(self, group: Identity, *members: Identity) -> None:
        """Puts people, or groups, into a group; with nobody, the group is known and empty. Others are 404."""
        self._service.sharing.found(group)
        for member in members:
            self._service.sharing.join(group, member)

    def app_folder(self, token: str, drive: Drive) -> Item:
        """The folder of an application (`special/approot`), where alone its token may write."""
        identity = self._service.access.identity(token)
        folder = drive.by(identity).folder(f"Apps/{identity.name}")
        self._service.access.grant(token, "write", drive.id, folder.id)
        return folder

    def together(self) -> AbstractContextManager[None]:
        """What is done inside is done at once: much quicker for thousands of files."""
        return self.database.transaction()

    # How it behaves

    def switch(self, **values: Any) -> None:
        """Sets switches; they are listed in switches.py."""
        for name, value in values.items():
            if name not in DEFAULTS:
                raise ValueError(f"{name} is no switch; there are {', '.join(DEFAULTS)}")
            self.database.set(name, value)

    def later(self, seconds: float) -> None:
        """Sets the service's clock ahead."""
        self.switch(clock_ahead=float(self._service.tree.switch("clock_ahead")) + seconds)

    def forget_deltas(self, code: str = "resyncChangesApplyDifferences") -> None:
        """Every delta token given so far is answered with 410, that code, and a Location."""
        self.switch(delta_era=self.database.next("era"), delta_gone_code=code)

    def fault(
        self,
        kind: str,
        *,
        method: str = ".*",
        path: str = "",
        token: str | None = None,
        after: int = 0,
        times: int = 1,
        **options: Any,
    ) -> int:
        """The next `times` requests whose method matches and whose decoded path contains the pattern meet a fault.

        The kinds and their options are in faults.py; `after` lets as many pass first. The answer is the rule's number.
        """
        return self._faults.rule(kind, method=method, path=path, token=token, after=after, times=times, options=options)

    def left(self, rule: int) -> int:
        """How often a rule still applies."""
        row = self.database.one("SELECT left FROM rules WHERE id = ?", rule)
        return int(row[0]) if row else 0

    def no_faults(self) -> None:
        """Ends all rules and the random faults."""
        self.database.run("DELETE FROM rules")
        self.switch(random_faults=None)

    def random_faults(self, share: float, *, seed: int = 1, kinds: Sequence[str] | None = None, path: str = "") -> None:
        """A share of all requests meets a fault, drawn from the seed among those that can happen to such a request."""
        self.switch(seed=seed, random_faults={"share": share, "kinds": list(kinds) if kinds else None, "path": path})

    # What was asked

    def counted(self, name: str, *, token: str | None = None, drive: Drive | None = None) -> int:
        """A counter: requests, content_bytes, content_requests, download_urls, units, throttled, impatient,
        not_supported, leaked_authorization, errors (of the emulator itself)."""
        return self._service.access.counted(name, token=token, drive=drive.id if drive else None)

    def asked(self, *, token: str | None = None, method: str | None = None, path: str = "") -> list[Asked]:
        """The requests so far, in order."""
        rows = self.database.all(
            "SELECT * FROM requests WHERE (?1 IS NULL OR token = ?1) AND (?2 IS NULL OR method = ?2) "
            "AND instr(path, ?3) ORDER BY n",
            *(token, method, path),
        )
        return [
            Asked(**{name: row[name] for name in Asked.__slots__ if name != "authorization"},
                  authorization=bool(row["authorization"]))
            for row in rows
        ]  # fmt: skip

    def faults_met(self) -> dict[str, int]:
        """How often each fault happened."""
        rows = self.database.all("SELECT fault, count(*) AS n FROM requests WHERE fault IS NOT NULL GROUP BY fault")
        return {row["fault"]: row["n"] for row in rows}

    def forget_requests(self) -> None:
        """Begins counting anew."""
        self.database.run("DELETE FROM requests")
        self.database.run("DELETE FROM counters")

    def setting(self, name: str) -> Any:
        """A setting, such as `base`."""
        return self.database.setting(name, DEFAULTS.get(name, ""))
