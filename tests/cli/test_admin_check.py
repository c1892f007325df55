"""``ctihub check``: what a hub would say, without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.admin import Shell

REAL_LIFE = Path(__file__).parent.parent / "data" / "real-life"

GOOD = {
    "type": "indicator",
    "spec_version": "2.1",
    "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
    "created": "2026-01-31T12:00:00.000Z",
    "modified": "2026-01-31T12:00:00.000Z",
    "name": "seen by Example CERT",
    "pattern": "[domain-name:value = 'c2.example']",
    "pattern_type": "stix",
    "valid_from": "2026-01-31T12:00:00Z",
}


def _file(shell: Shell, *objects: Any) -> str:
    path = shell.folder / "feed.ndjson"
    path.write_text("".join(each if isinstance(each, str) else f"{json.dumps(each)}\n" for each in objects))
    return str(path)


def _check(shell: Shell, *words: str) -> tuple[int, Any]:
    answer = shell("check", *words, "--json")
    return answer.code, answer.json


def test_what_would_be_taken_ends_with_0(shell: Shell) -> None:
    code, said = _check(shell, "--no-lists", _file(shell, GOOD))
    assert (code, said) == (0, {"checked": 1, "refused": 0, "held": 0, "problems": []})


def test_what_would_be_refused_ends_with_1_and_is_named(shell: Shell) -> None:
    bad = GOOD | {"pattern": "[domain-name:value = "}
    code, said = _check(shell, "--no-lists", _file(shell, GOOD, bad, "{nonsense\n"))
    assert (code, said["checked"], said["refused"]) == (1, 3, 2)
    first, second = said["problems"]
    assert (first["index"], first["id"], first["state"], first["code"]) == (1, GOOD["id"], "rejected", "pattern.syntax")
    assert first["at"] == "/pattern"
    assert (second["index"], second["id"], second["code"]) == (2, None, "json.malformed")


def test_what_would_wait_for_the_operator_is_held_and_no_failure(shell: Shell) -> None:
    path = _file(shell, GOOD | {"pattern": "[ipv4-addr:value = '10.0.0.1']"})
    code, said = _check(shell, path)
    assert (code, said["refused"], said["held"]) == (0, 0, 1)
    assert said["problems"][0]["code"] == "poison.reserved"
    shell.patch.setenv("CTIHUB_HELD_LISTS", "none")
    assert _check(shell, path)[1]["held"] == 0


@pytest.mark.parametrize(
    ("name", "refused", "held", "codes"),
    [
        ("poison-in-disguise.json", 0, 8, {"poison.network", "poison.reserved", "list.hit"}),
        ("sec-poison-other-kinds.ndjson", 0, 5, {"poison.network", "list.hit"}),
        ("not-of-its-kind.json", 0, 0, {"value.not-of-its-kind"}),
        ("misp-network-traffic.json", 0, 0, set()),
        ("pattern-quoting.json", 2, 0, {"pattern.syntax"}),
    ],
)
def test_inputs_of_real_life_end_as_a_hub_would_end_them(
    shell: Shell, name: str, refused: int, held: int, codes: set[str]
) -> None:
    code, said = _check(shell, str(REAL_LIFE / name))
    assert (said["refused"] >= refused, said["held"]) == (True, held)
    assert code == (1 if said["refused"] else 0)
    assert {each["code"] for each in said["problems"]} >= codes


def test_how_strings_are_written_is_told(shell: Shell) -> None:
    _, said = _check(shell, str(REAL_LIFE / "pattern-quoting.json"))
    told = [each["id"][-3:] for each in said["problems"] if r"a backslash is written \\" in each["message"]]
    assert told == ["121", "122"]


def test_a_name_of_ones_own_in_free_text_is_a_warning(shell: Shell) -> None:
    code, said = _check(shell, "--no-lists", "--name", "EXAMPLE cert", _file(shell, GOOD))
    assert (code, said["refused"]) == (0, 0)
    assert [(each["code"], each["state"], each["at"]) for each in said["problems"]] == [
        ("text.own-name", "accepted", "/name")
    ]


def test_names_of_properties_that_stix_does_not_define_are_a_warning_for_who_goes_unnamed(shell: Shell) -> None:
    path = _file(shell, GOOD | {"x_secretcert_case": "4711"})
    assert _check(shell, "--no-lists", path)[1]["problems"] == []
    _, said = _check(shell, "--no-lists", "--unnamed", path)
    assert [(each["code"], each["at"]) for each in said["problems"]] == [("text.custom-name", "/x_secretcert_case")]
    _, said = _check(shell, "--no-lists", "--name", "SecretCert", path)
    assert [(each["code"], each["at"]) for each in said["problems"]] == [("text.own-name", "/x_secretcert_case")]


def test_limits_of_the_configuration_hold(shell: Shell) -> None:
    shell.patch.setenv("CTIHUB_MAX_PATTERN_CHARS", "10")
    code, said = _check(shell, "--no-lists", _file(shell, GOOD))
    assert (code, said["problems"][0]["code"]) == (1, "pattern.too-long")


def test_bundles_are_opened(shell: Shell) -> None:
    bundle = {"type": "bundle", "id": "bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "objects": [GOOD, GOOD]}
    assert _check(shell, "--no-lists", _file(shell, bundle))[1]["checked"] == 2


def test_a_person_sees_the_sum(shell: Shell) -> None:
    answer = shell("check", "--no-lists", _file(shell, GOOD, GOOD | {"pattern": "["}))
    assert answer.code == 1
    assert "2 checked, 1 would be refused." in answer.out
    assert "pattern.syntax" in answer.out


def test_problems_name_file_and_line_refusals_first_by_code(shell: Shell) -> None:
    warned = GOOD | {"spec_version": "2.0"}
    path = _file(shell, GOOD, GOOD | {"pattern": "["}, GOOD | {"pattern": "]"})
    answer = shell("check", "--no-lists", path)
    assert f"rejected pattern.syntax  2, first {path}:2 {GOOD['id']}" in answer.out
    answer = shell("check", "--no-lists", "--all", path)
    assert [f"{path}:{line} " in answer.out for line in (1, 2, 3)] == [False, True, True]
    _, said = _check(shell, "--no-lists", path)
    assert [each["place"] for each in said["problems"]] == [{"file": path, "line": line} for line in (2, 3)]
    answer = shell("check", "--no-lists", "--name", "x", _file(shell, warned | {"name": "x"}, GOOD | {"pattern": "["}))
    words = [line.split()[0] for line in answer.out.splitlines()[:-1]]
    assert words[0] == "rejected"
    assert set(words[1:]) == {"warning"}


@pytest.mark.parametrize("path", ["nowhere.json", "nowhere/*.json"])
def test_a_file_that_is_not_there_is_an_error(shell: Shell, path: str) -> None:
    answer = shell("check", path)
    assert answer.code == 1
    assert "nowhere" in answer.err
    assert answer.err.count("\n") == 1
