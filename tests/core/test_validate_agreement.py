"""Our verdicts against stix2-validator's MUST rules on real objects; each difference is written down and counted.

docs/validation.md tells of the same kinds. The validator is asked as it is, without its SHOULD rules.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections import Counter
from typing import NamedTuple

import pytest
from stix2validator import ValidationOptions, validate_instance

from hub.model.problems import Problem
from hub.model.words import StixObject
from tests.core.verdicts import outcome, sample_objects

OLD = ("stix20-elevator", "stix20-misp-stix", "stix20-unit42")
NEW = ("stix21-cti-documentation", "stix21-elevator", "stix21-misp-stix", "stix21-mvt", "stix21-tlp")

ONLY_THEY_REFUSE = {
    "a name of two letters in a pattern (app:id)": (r"'id' is not a valid observable property name", 5),
    "STIX 2.0: ids that are not random (2.1 takes any RFC 4122 UUID)": (r"does not match the id format", 33),
    "STIX 2.0: what 2.1 no longer requires": (r"'(identity_class|labels)' is a required property", 1),
    "STIX 2.0: custom properties in patterns without x_": (r"should start with 'x_'", 1),
}
"""What stix2-validator says where we accept, by kind of difference, and of how many objects."""

ONLY_WE_REFUSE = {
    "a reference to an object of another type than the property allows": ("stix.reference", 1),
    "a property name with characters that STIX does not allow": ("stix.property-name", 1),
}
"""Our codes where the validator accepts, by kind of difference, and for how many objects."""


class Compared(NamedTuple):
    """How many verdicts agree by what they are, and what one side says where only that side refuses."""

    agreed: Counter[str]
    theirs_alone: list[str]
    ours_alone: list[str]


def _their_errors(obj: StixObject, version: str) -> list[str]:
    options = ValidationOptions(version=version) if version == "2.0" else ValidationOptions()
    with contextlib.redirect_stdout(io.StringIO()):
        found = validate_instance(obj, options)
    return [] if found.is_valid else [str(error) for error in found.errors]


@pytest.fixture(scope="module")
def compared() -> Compared:
    agreed: Counter[str] = Counter()
    theirs_alone: list[str] = []
    ours_alone: list[str] = []
    for folders, version in ((OLD, "2.0"), (NEW, "2.1")):
        for _, obj in sample_objects(*folders):
            errors = _their_errors(obj, version)
            found = outcome(json.dumps(obj).encode())
            if isinstance(found, Problem) == bool(errors):
                agreed["refused" if errors else "accepted"] += 1
            elif errors:
                theirs_alone.append(errors[0])
            else:
                assert isinstance(found, Problem)
                ours_alone.append(found.code.value)
    return Compared(agreed, theirs_alone, ours_alone)


def test_the_verdicts_agree_on_all_other_objects(compared: Compared) -> None:
    assert compared.agreed == {"accepted": 690, "refused": 52}


def test_what_only_the_validator_refuses_is_of_a_kind_that_is_written_down(compared: Compared) -> None:
    kinds = Counter(
        next((kind for kind, (says, _) in ONLY_THEY_REFUSE.items() if re.search(says, error)), error)
        for error in compared.theirs_alone
    )
    assert kinds == {kind: objects for kind, (_, objects) in ONLY_THEY_REFUSE.items()}


def test_what_only_we_refuse_is_of_a_kind_that_is_written_down(compared: Compared) -> None:
    assert Counter(compared.ours_alone) == dict(ONLY_WE_REFUSE.values())


def test_what_we_accept_is_valid_for_the_validator_once_it_is_normalised() -> None:
    """Everything shown passes its MUST rules: what is lifted and mended too, ``app:id`` aside."""
    refused = []
    for _, obj in sample_objects(*OLD, *NEW):
        found = outcome(json.dumps(obj).encode())
        for one in found if isinstance(found, list) else []:
            refused += [error for error in _their_errors(one, "2.1") if "'id' is not a valid observable" not in error]
    assert refused == []
