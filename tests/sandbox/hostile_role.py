"""A zygote entry for tests: warmed like the real one of its role, with all its libraries; its children then misbehave.

Started by the pool in the place of `transfer.child`, with the same arguments.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import sys

from tests.sandbox import hostile
from transfer.child import hands_of, work_with
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.requests import Role
from transfer.sandbox.zygote import Work, serve


def main(arguments: list[str]) -> None:
    role, limits, valve, *material, control = arguments

    def warm() -> Work:
        real = hands_of(Role(role), [int(descriptor) for descriptor in material])
        return work_with(dataclasses.replace(real, examine=hostile.misbehave))

    serve(
        socket.socket(fileno=int(control)),
        warm=warm,
        limits=ChildLimits(**json.loads(limits)),
        prefer=valve == "prefer",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
