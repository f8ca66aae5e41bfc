"""A zygote entry for tests: it cannot warm."""

from __future__ import annotations

import socket
import sys

from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.zygote import Work, serve


def warm() -> Work:
    raise LookupError("a decoder is missing")


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[-1])), warm=warm, limits=ChildLimits(), prefer=False)
