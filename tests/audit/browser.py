"""A real Chromium, driven over its DevTools pipe with the standard library alone.

Chromium reads commands from descriptor 3 and writes answers and events to descriptor 4: JSON, each ended by a zero
byte. `Browser` starts it; `Page` is one page in it, opened from a file.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # it cannot make one as root; what it opens here is ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-default-browser-check",
    "--mute-audio",
    "--remote-debugging-pipe",
    "--window-size=900,1200",
)
_PATIENCE = 30.0


class Browser:
    """One process; `call` sends a command and waits for its answer."""

    def __init__(self, profile: Path) -> None:
        program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
        if program is None:
            pytest.skip("there is no chromium")
        (commands, self._write), (self._read, answers) = os.pipe(), os.pipe()
        words = [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        script = f'exec "$@" 3<&{commands} 4>&{answers}'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", *words],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)
        self._rest = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, *, session: str = "", **params: object) -> dict[str, Any]:
        """The answer to a command; fails with what the browser says of it."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + _PATIENCE
        while True:
            answer = self._message(until)
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self.events.append(answer)

    def _message(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            piece = os.read(self._read, 1 << 16)
            assert piece, "the browser has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def close(self) -> None:
        """Ends it, and every process it has started."""
        with contextlib.suppress(OSError, AssertionError):
            self.call("Browser.close")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()
        os.close(self._write)
        os.close(self._read)

    @contextlib.contextmanager
    def page(
        self, path: Path, *, before: str = "", dark: bool = False, width: int = 900, starts: bool = True
    ) -> Iterator[Page]:
        """A new page with the file at `path`; `before` is a script that runs before any of the page's own.

        With `starts` it is handed out once its script is ready, else once it is loaded.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "DOM", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=width < 600
        )
        if before:
            page.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        self.events.clear()
        page.call("Page.navigate", url=path.as_uri())
        try:
            ready = "document.documentElement?.dataset.ready === 'yes'"
            page.wait(ready if starts else "location.protocol === 'file:' && document.readyState === 'complete'")
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)


class Page:
    """One page, and what a person does with it."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser = browser
        self.session = session

    def call(self, method: str, **params: object) -> dict[str, Any]:
        return self.browser.call(method, session=self.session, **params)

    def eval(self, expression: str) -> Any:
        """The value of an expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = _PATIENCE) -> None:
        """Until the expression is true."""
        until = time.monotonic() + seconds
        while not self.eval(expression):
            assert time.monotonic() < until, (expression, self.text())
            time.sleep(0.02)

    def text(self) -> str:
        """What can be read on the page."""
        return str(self.eval("document.body?.innerText ?? ''"))

    def choose(self, selector: str, path: Path) -> None:
        """A file, as the browser's own dialog hands it over."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def drop(self, selector: str, paths: Sequence[Path]) -> None:
        """Files, dragged onto an element."""
        x, y = self.eval(
            f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def type(self, text: str) -> None:
        """What the keyboard types into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """A key such as Tab."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=9 if key == "Tab" else 13
            )

    def shot(self, path: Path) -> None:
        """The whole page as a picture."""
        height = self.eval("Math.ceil(document.documentElement.scrollHeight)")
        width = self.eval("window.innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        made = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(made["data"]))
