"""Runs attempts in a forked process that confines itself first, and tells what happened to each."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping


def tried(confine: Callable[[], object], attempts: Mapping[str, Callable[[], object]]) -> dict[str, str]:
    """For each name: `worked: <answer>`, the errno's name, or the exception's."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        # What other tests left open for the collector counts against the limit on descriptors, and is no part of this.
        os.closerange(3, writing)
        os.closerange(writing + 1, 4096)
        try:
            confine()
            report = {name: _observe(action) for name, action in attempts.items()}
        except BaseException as error:
            report = {"confine": f"{type(error).__name__}: {error}"}
        os.write(writing, json.dumps(report).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as report_file:
        text = report_file.read()
    os.waitpid(child, 0)
    result: dict[str, str] = json.loads(text)
    return result


def _observe(action: Callable[[], object]) -> str:
    try:
        answer = action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"worked: {answer}"
