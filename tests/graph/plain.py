"""A plain HTTP client for the tests of the emulator, which asks what no well-behaved client would."""

from __future__ import annotations

from typing import Any

import httpx

from tests.graph.emulator.emulator import Emulator, EmulatorProcess


class Asking:
    """Requests with one token to the Graph host, and without any to addresses that it gave."""

    def __init__(self, emulator: Emulator | EmulatorProcess, token: str) -> None:
        self._http = httpx.Client(trust_env=False, timeout=30)
        self.base, self._token = emulator.base_url, token

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request to a path below the version, or to an address that the service gave."""
        headers = dict(options.pop("headers", {}))
        url = path if path.startswith("http") else self.base + path
        if url.startswith(self.base) and self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return self._http.request(method, url, headers=headers, **options)

    def json(self, path: str, **options: Any) -> Any:
        """The document of a GET that must succeed."""
        answer = self("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def enumerate(self, link: str) -> tuple[list[dict[str, Any]], str]:
        """All entries of a delta from a link on, and the link to go on with."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.json(link)
            found += page["value"]
            if "@odata.deltaLink" in page:
                assert "@odata.nextLink" not in page
                return found, page["@odata.deltaLink"]
            link = page["@odata.nextLink"]
