"""A one-way media gateway: media goes to an isolated device, nothing comes back (docs/architecture.md)."""

from __future__ import annotations

__version__ = "0.1.0"
