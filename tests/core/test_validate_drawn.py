"""Objects drawn from our tables: good by our rules, and by stix2 and stix2-validator once normalised."""

from __future__ import annotations

import contextlib
import io
import json
import warnings

import pytest
import stix2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stix2validator import ValidationOptions, validate_instance

from hub.core.validate import TYPES
from tests.core.drawn import objects
from tests.core.verdicts import outcome, problems_of


@pytest.mark.parametrize("name", sorted(TYPES))
@settings(max_examples=4, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_what_the_tables_allow_is_accepted_and_its_view_passes_both_tools(name: str, data: st.DataObject) -> None:
    obj = data.draw(objects(name))
    assert problems_of(obj) == []
    found = outcome(json.dumps(obj).encode())
    assert isinstance(found, list), found
    for one in found:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stix2.parse(one, allow_custom=True)
        with contextlib.redirect_stdout(io.StringIO()):
            verdict = validate_instance(one, ValidationOptions())
        assert verdict.is_valid, [str(error) for error in verdict.errors]
