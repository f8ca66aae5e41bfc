"""`[scanner]` of the settings: who looks for malware, and in files of what size.

What enters: a table that the operator wrote. What leaves: values. Whether a scan is required is said by the policy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from transfer.setting_values import one_word, parse_size
from transfer.strict_toml import StrictModel


class ScannerKind(StrEnum):
    """Which malware scanner is asked."""

    CLAMD = "clamd"
    NONE = "none"


class ScannerSettings(StrictModel):
    """`[scanner]`: clamd is reached over `socket`, or over `host` and `port` where there is no socket.

    `max_bytes` is what clamd looks into: the smallest of its `StreamMaxLength`, `MaxFileSize` and `MaxScanSize`. A
    larger file is not handed to it, and counts as not scannable. `yara` is a folder of YARA rules, a second scanner;
    `yara_max_bytes` is the largest file that they look at, as a whole and in memory.
    """

    kind: Annotated[ScannerKind, one_word(ScannerKind)] = ScannerKind.NONE
    socket: Annotated[str, Field(max_length=100)] = ""
    host: Annotated[str, Field(max_length=253)] = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 3310
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 300
    max_bytes: Annotated[int, BeforeValidator(parse_size), Field(ge=1, le=2_147_483_646)] = 100_000_000
    yara: Annotated[str, Field(max_length=1000)] = ""
    yara_max_bytes: Annotated[int, BeforeValidator(parse_size), Field(ge=1, le=2_147_479_552)] = 256_000_000

    @model_validator(mode="after")
    def _one_address(self) -> ScannerSettings:
        if self.kind is ScannerKind.CLAMD and bool(self.socket) == bool(self.host):
            raise ValueError('with kind = "clamd" either `socket` or `host` says where it is, and not both')
        return self
