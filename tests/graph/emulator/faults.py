"""Faults: what goes wrong, by rule (the next requests that match) or at random (a share of all, from a seed).

What enters: what a request is. What leaves: the fault that it meets, or None; the answers that stand for faults.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Any

from tests.graph.emulator.answers import Answer, Problem
from tests.graph.emulator.items import Tree

# kind: what happens. Those of the connection are done by the server, those of a body to the answer.
KINDS = {
    "throttle": "429 with Retry-After",
    "throttle_silent": "429 without",
    "busy": "503 with Retry-After",
    "busy_silent": "503 without",
    "broken": "500",
    "bad_gateway": "502 with a page in HTML",
    "timeout": "504",
    "status": "the status, code and headers of the options",
    "garbage": "200 with half a JSON document",
    "redirect": "302 to the location of the options",
    "not_found": "404, as for what was made just now",
    "gone": "410 with Location and the code of the options",
    "expired": "401, or the status of the options: the download address has expired",
    "session_lost": "404, and the upload session is gone",
    "cut_before": "the connection ends before the request is heard",
    "cut_during": "the connection ends in the middle of the request's body",
    "cut_after": "the request is done, and the connection ends without an answer",
    "cut_body": "the connection ends in the middle of the answer's body",
    "short_body": "half the content, with a Content-Length that says so",
    "wrong_body": "65 other bytes with status 200",
    "slow": "an answer after the seconds of the options",
}
_EVERYWHERE = ("throttle", "throttle_silent", "busy", "busy_silent", "broken", "cut_before")
_FRESH = 10.0  # seconds in which the service may not know yet what it was told


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault with its options."""

    kind: str
    options: dict[str, Any]


class Faults:
    """Chooses the fault of a request."""

    def __init__(self, tree: Tree) -> None:
        self.tree, self.database = tree, tree.database

    def rule(
        self, kind: str, *, method: str, path: str, token: str | None, after: int, times: int, options: dict[str, Any]
    ) -> int:
        """The next `times` requests whose method and decoded path match, once `after` others have, meet a fault."""
        if kind not in KINDS:
            raise ValueError(f"{kind} is no fault; there are {', '.join(KINDS)}")
        self.database.run(
            "INSERT INTO rules (kind, method, path, token, after, left, options) VALUES (?,?,?,?,?,?,?)",
            *(kind, method, path, token, after, times, json.dumps(options)),
        )
        row = self.database.one("SELECT max(id) FROM rules")
        return int(row[0]) if row else 0

    def choose(self, method: str, path: str, host: str, token: str) -> Fault | None:
        """The fault that this request meets."""
        if self.database.one("SELECT 1 FROM rules WHERE left > 0 LIMIT 1") is not None:
            with self.database.transaction():
                for row in self.database.all("SELECT * FROM rules WHERE left > 0 ORDER BY id"):
                    if not re.fullmatch(row["method"], method) or not re.search(row["path"], path):
                        continue
                    if row["token"] not in {None, token}:
                        continue
                    if row["after"] > 0:
                        self.database.run("UPDATE rules SET after = after - 1 WHERE id = ?", row["id"])
                        continue
                    self.database.run("UPDATE rules SET left = left - 1 WHERE id = ?", row["id"])
                    return Fault(kind=row["kind"], options=json.loads(row["options"]))
        return self._at_random(method, path, host)

    def _at_random(self, method: str, path: str, host: str) -> Fault | None:
        wish = self.tree.switch("random_faults")
        if not wish or not re.search(wish.get("path") or "", path):
            return None
        chance = random.Random(f"{self.tree.switch('seed')}:{self.database.next('draw')}")
        if chance.random() >= wish["share"]:
            return None
        possible = [*_EVERYWHERE, *self._particular(method, path, host)]
        if wish.get("kinds"):
            possible = [kind for kind in possible if kind in wish["kinds"]]
        return Fault(kind=chance.choice(possible), options={}) if possible else None

    def _particular(self, method: str, path: str, host: str) -> list[str]:
        """What can happen to this kind of request only."""
        if host == "content" and path.startswith("/download/"):
            return ["expired", "cut_body", "short_body"]
        if host == "content":
            return ["session_lost", "cut_after", "not_found", *(["cut_during"] if method == "PUT" else [])]
        if method != "GET":
            return ["cut_after"]
        found = re.search(r"/drives/([^/]+)/items/([^/:]+)(?::/(.*/)?([^/:]+):?)?$", path)
        if found is None:
            return []
        row = self.database.one(
            "SELECT created_at FROM items WHERE drive = ? AND (id = ? OR folded = ?) ORDER BY created_at DESC",
            *(found[1], found[2] if found[4] is None else None, (found[4] or "").casefold() or None),
        )
        return ["not_found"] if row is not None and self.tree.now() - row["created_at"] < _FRESH else []

    def answer(self, fault: Fault) -> Answer | None:
        """The answer that stands for a fault; None when the request is handled nevertheless."""
        options = fault.options
        wait = {"Retry-After": str(options.get("retry_after", self.tree.switch("retry_after")))}
        statuses = {
            "throttle": (429, wait),
            "throttle_silent": (429, {}),
            "busy": (503, wait),
            "busy_silent": (503, {}),
            "broken": (500, {}),
            "timeout": (504, {}),
            "not_found": (404, {}),
            "session_lost": (404, {}),
            "expired": (int(options.get("status", 401)), {}),
            "gone": (410, {"Location": options.get("location", "")}),
            "status": (int(options.get("status", 500)), options.get("headers", {})),
        }
        if fault.kind in statuses:
            status, headers = statuses[fault.kind]
            raise Problem(status, "A fault of the emulator.", code=options.get("code", ""), headers=headers)
        if fault.kind == "redirect":
            return Answer(status=302, headers={"Location": options["location"]})
        if fault.kind == "bad_gateway":
            return Answer(
                status=502, body=b"<html><body>Bad gateway</body></html>", headers={"Content-Type": "text/html"}
            )
        if fault.kind == "garbage":
            return Answer(status=200, body=b'{"value": [{"id": "01', headers={"Content-Type": "application/json"})
        if fault.kind == "wrong_body":
            return Answer(status=200, body=b"x" * 65, headers={"Content-Type": "text/plain"})
        return None
