"""Every key of the policy is in the operators' documentation, with its default."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.model.policy_keys import KEYS, PolicyKey

OPERATING = Path(__file__).parents[2] / "docs/operating.md"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.pattern)
def test_a_key_is_documented_with_its_default(key: PolicyKey) -> None:
    rows = [line for line in OPERATING.read_text("utf-8").splitlines() if line.startswith(f"| `{key.pattern}` |")]
    assert len(rows) == 1
    assert f"| `{key.format.write(key.default)}` |" in rows[0]
