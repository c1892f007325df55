"""centre, member, group, collection, operator: names, options, JSON fields and exit codes as scripts rely on them."""

from __future__ import annotations

import uuid

import pytest

from tests.cli.admin import Shell

IDENTITY = "identity--6ba7b810-9dad-41d1-80b4-00c04fd430c8"


def test_centre_add_prints_name_id_and_token_as_one_object(shell: Shell) -> None:
    added = shell.done("centre", "add", "ro-cert", "--country", "RO")
    assert added["name"] == "ro-cert"
    assert added["id"].startswith("identity--")
    assert added["token"].startswith("ctihub_")


def test_every_option_of_centre_add_is_kept(shell: Shell) -> None:
    shell.done("group", "add", "east")
    words = ["centre", "add", "ro-cert", "--country", "ro", "--identity", IDENTITY, "--tlp-max", "green"]
    words += ["--default-tlp", "clear", "--amber-to", "east", "--amber-to", "network", "--trust", "60"]
    words += ["--naming", "alias", "--alias", "A Team", "--speaks-for", IDENTITY.replace("6ba", "7ba")]
    words += ["--widest-shown", "/10", "--widest-blocked", "12, /24"]
    added = shell.done(*words)
    assert added | {"token": "", "created": ""} == {
        "name": "ro-cert",
        "id": IDENTITY,
        "country": "RO",
        "tlp_max": "green",
        "default_tlp": "clear",
        "amber_to": ["east", "network"],
        "trust": 60,
        "naming": "alias",
        "alias": "A Team",
        "speaks_for": [IDENTITY.replace("6ba", "7ba")],
        "widest_shown": "/10,/19",
        "widest_blocked": "/12,/24",
        "suspended": False,
        "created": "",
        "token": "",
    }


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("centre", ["--country", "IT"]),
        ("member", ["--accredited-by", "ro-cert"]),
        ("operator", []),
        ("group", ["--rule", "country=RO", "--rule", "sector=energy"]),
        ("collection", ["--tlp", "amber+strict", "--group", "network", "--type", "indicator", "--kind", "ipv4-addr"]),
    ],
)
def test_a_listing_is_one_array_of_what_add_printed_without_tokens(shell: Shell, kind: str, words: list[str]) -> None:
    shell.done("centre", "add", "ro-cert", "--country", "RO")
    added = shell.done(kind, "add", "new-one", *words)
    listed = shell.done(kind, "list")
    added.pop("token", None)
    if kind == "group":
        added["members"] = []
    assert added in listed
    assert not any("token" in each for each in listed)


def test_an_empty_listing_is_an_empty_array(shell: Shell) -> None:
    assert shell.done("centre", "list") == []
    assert shell.done("held", "list") == []


def test_the_built_in_groups_and_default_collections_exist_from_the_first_command_on(shell: Shell) -> None:
    assert [each["name"] for each in shell.done("group", "list")] == ["public", "community", "network"]
    found = [(each["name"], each["tlp"], each["group"]) for each in shell.done("collection", "list")]
    assert found == [
        ("public", "clear", "public"),
        ("community", "green", "community"),
        ("network", "amber+strict", "network"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "it shows every type"),
        (
            ["--kind", "ipv4-addr"],
            "it shows indicator, ipv4-addr; of indicators and observables only those about ipv4-addr",
        ),
        (["--min-confidence", "80"], "--type indicator leaves out what has none"),
        (["--type", "indicator", "--min-confidence", "80"], "only those with a confidence of 80 at least"),
    ],
)
def test_a_new_collection_says_what_passes_its_filter(shell: Shell, words: list[str], says: str) -> None:
    assert says in shell("collection", "add", "east", "--tlp", "amber", "--group", "network", *words).out


def test_a_collections_id_is_a_random_uuid(shell: Shell) -> None:
    added = shell.done("collection", "add", "east", "--tlp", "amber", "--group", "network", "--min-confidence", "50")
    assert uuid.UUID(added["id"]).version == 4
    assert added["min_confidence"] == 50


def test_group_show_prints_its_marking_and_who_is_in_it(shell: Shell) -> None:
    shell.done("centre", "add", "ro-cert", "--country", "RO")
    shell.done("member", "add", "soc", "--accredited-by", "ro-cert", "--sector", "energy", "--country", "RO")
    shell.done("group", "add", "energy", "--rule", "sector=energy")
    shell.done("group", "join", "energy", "ro-cert")
    found = shell.done("group", "show", "energy")
    assert found["id"].startswith("marking-definition--")
    assert found["members"] == ["ro-cert", "soc"]
    assert found["id"] in shell("group", "show", "energy").out
    assert shell.done("group", "leave", "energy", "ro-cert")["members"] == ["soc"]


def test_rotate_prints_another_token_for_the_same_identity(shell: Shell) -> None:
    shell.done("centre", "add", "ro-cert", "--country", "RO")
    for kind, words in (("member", ["--accredited-by", "ro-cert"]), ("operator", []), ("centre", ["--country", "IT"])):
        added = shell.done(kind, "add", f"a-{kind}", *words)
        rotated = shell.done(kind, "rotate", f"a-{kind}")
        assert rotated["id"] == added["id"]
        assert rotated["token"] not in ("", added["token"])


@pytest.mark.parametrize(("kind", "words"), [("centre", ["--country", "IT"]), ("member", ["--accredited-by", "ro"])])
def test_suspended_principals_are_listed_as_such_until_they_are_resumed(
    shell: Shell, kind: str, words: list[str]
) -> None:
    shell.done("centre", "add", "ro", "--country", "RO")
    shell.done(kind, "add", "new-one", *words)
    assert shell.done(kind, "suspend", "new-one")["suspended"]
    assert shell.done(kind, "show", "new-one")["suspended"]
    assert not shell.done(kind, "resume", "new-one")["suspended"]


def test_set_changes_what_is_said_and_leaves_the_rest(shell: Shell) -> None:
    added = shell.done("centre", "add", "ro-cert", "--country", "RO", "--trust", "60")
    changed = shell.done("centre", "set", "ro-cert", "--tlp-max", "red", "--naming", "anonymous")
    added.pop("token")
    assert changed == {**added, "tlp_max": "red", "naming": "anonymous"}


def test_removed_things_are_gone(shell: Shell) -> None:
    shell.done("group", "add", "east")
    shell.done("collection", "add", "east", "--tlp", "amber", "--group", "east")
    shell.done("operator", "add", "root")
    assert shell("group", "remove", "east").code == 1
    for kind, name in (("collection", "east"), ("group", "east"), ("operator", "root")):
        shell.done(kind, "remove", name)
        assert name not in [each["name"] for each in shell.done(kind, "list")]


def test_a_person_sees_the_token_once_with_what_to_do_next(shell: Shell) -> None:
    answer = shell("centre", "add", "ro-cert", "--country", "RO")
    assert answer.code == 0
    assert "export CTIHUB_URL=http://127.0.0.1:8480 CTIHUB_TOKEN=ctihub_" in answer.out
    assert "ctihub push" in answer.out
    assert "ctihub_" not in shell("centre", "list").out + shell("centre", "show", "ro-cert").out


def test_a_ceiling_below_the_default_is_pointed_out(shell: Shell) -> None:
    answer = shell("centre", "add", "ro-cert", "--country", "RO", "--tlp-max", "green")
    assert answer.code == 0
    assert "--default-tlp" in answer.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["centre", "add", "X", "--country", "RO"], 2, "no name of a centre"),
        (["centre", "add", "intake", "--country", "RO"], 2, "reserved"),
        (["centre", "add", "x"], 2, "--country"),
        (["centre", "add", "x", "--country", "Romania"], 2, "two letters"),
        (["centre", "add", "x", "--country", "RO", "--tlp-max", "pink"], 2, "amber+strict"),
        (["centre", "add", "x", "--country", "RO", "--trust", "101"], 2, "0 to 100"),
        (["centre", "add", "x", "--country", "RO", "--naming", "alias"], 2, "--alias"),
        (["centre", "add", "x", "--country", "RO", "--widest-shown", "/33"], 2, "/16,/29"),
        (["centre", "add", "x", "--country", "RO", "--widest-blocked", "/8,/129"], 2, "/16,/29"),
        (["centre", "add", "x", "--country", "RO", "--widest-blocked", "wide"], 2, "/16,/29"),
        (["centre", "add", "x", "--country", "RO", "--amber-to", "nobody"], 1, "public, community, network"),
        (["centre", "add", "x", "--country", "RO", "--tpl-max", "red"], 2, "--tlp-max"),
        (["centre", "add", "there", "--country", "RO"], 1, "already"),
        (["centre", "show", "gone"], 1, "There are: there"),
        (["member", "add", "soc", "--accredited-by", "gone"], 1, "no centre 'gone'"),
        (["member", "add", "soc", "--accredited-by", "there", "--group", "network"], 1, "registry decides who is in"),
        (["group", "add", "g", "--rule", "colour=red"], 2, "country=RO"),
        (["group", "add", "public"], 1, "already"),
        (["collection", "add", "c", "--tlp", "green", "--group", "gone"], 1, "no group 'gone'"),
        (["collection", "add", "intake", "--tlp", "green", "--group", "public"], 2, "reserved"),
        (["collection", "add", "public", "--tlp", "clear", "--group", "public"], 1, "already"),
        (["held", "release"], 2, "--all"),
        (["held", "show", "7"], 1, "held list"),
        (["centre"], 2, ""),
        (["centr"], 2, "'centre'"),
        (["doctor", "--config", "no.toml"], 2, "no.toml"),
    ],
)
def test_an_error_is_one_sentence_with_the_way_out_and_an_exit_code(
    shell: Shell, words: list[str], code: int, says: str
) -> None:
    shell.done("centre", "add", "there", "--country", "RO")
    answer = shell(*words)
    assert answer.code == code, answer
    assert says in answer.err
    assert "Traceback" not in answer.err
    if says:
        assert answer.err.startswith("Error: ")
        assert answer.err.count("\n") == 1


def test_debug_shows_where_an_error_came_from_wherever_it_stands(shell: Shell) -> None:
    for words in (["--debug", "centre", "show", "gone"], ["centre", "show", "gone", "--debug"]):
        answer = shell(*words)
        assert answer.code == 1
        assert "Traceback" in answer.err
    assert "Traceback" not in shell("centre", "show", "gone").err


def test_what_nobody_expected_is_one_sentence_too(shell: Shell) -> None:
    (shell.folder / "data").write_text("a file, where a folder should be")
    answer = shell("centre", "list")
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "Traceback" not in answer.err


def test_a_collection_is_made_an_alert_lane_and_none_again(shell: Shell) -> None:
    added = shell.done("collection", "add", "warnings", "--tlp", "amber", "--group", "network", "--alert")
    assert added["alert"] is True
    assert shell.done("collection", "set", "warnings", "--no-alert")["alert"] is False
    assert shell.done("collection", "set", "warnings", "--alert") == added
    assert shell.done("collection", "show", "warnings") == added
    assert shell("collection", "set", "warnings").code == 2
    assert shell("collection", "set", "nothing", "--alert").code == 1
