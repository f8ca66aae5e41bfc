from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.approvals.office import Office, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    opened = open_office(tmp_path)
    yield opened
    opened.db.close()
