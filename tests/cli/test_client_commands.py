"""The commands that talk to a hub, against a small one: what they print, how they end, what they say when it fails."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import Response

from connectors.sdk.stream import ReceivedChange
from hub.cli import run
from hub.cli.subscribe import Printed, follow
from schemas.api import OwnClaimInfo
from tests.connectors.small_hub import TOKEN, SmallHub
from tests.connectors.small_taxii import SmallTaxii
from tests.connectors.test_stream import changes
from tests.waiting import WITHIN_S, until, wait_until

INDICATORS = [json.dumps({"type": "indicator", "id": f"indicator--{n}"}).encode() for n in range(5)]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SmallHub]:
    small = SmallHub()
    monkeypatch.setenv("CTIHUB_URL", small.url)
    monkeypatch.setenv("CTIHUB_TOKEN", TOKEN)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield small
    small.stop()


class Ran:
    """How a command ended and what it printed."""

    def __init__(self, capfd: pytest.CaptureFixture[str], *words: str) -> None:
        capfd.readouterr()
        self.code = run(words)
        self.out, self.err = capfd.readouterr()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def a_file(tmp_path: Path, lines: list[bytes], name: str = "feed.ndjson") -> str:
    path = tmp_path / name
    path.write_bytes(b"\n".join(lines))
    return str(path)


# ---------------------------------------------------------------- push


def test_push_ends_with_the_counts_of_the_receipts(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.pending_answers = 2
    packed = tmp_path / "bundle.json.gz"
    packed.write_bytes(gzip.compress(b'{"type":"bundle","objects":[' + b",".join(INDICATORS) + b"]}"))
    ran = Ran(capfd, "push", a_file(tmp_path, [*INDICATORS[:2], b"not json"]), str(packed))
    assert ran.code == 0
    assert ran.out == "received 8: accepted 7, unchanged 0, held 0, rejected 1\n"
    assert f"rejected  json.malformed  {tmp_path}/feed.ndjson:3 (no id): not JSON" in ran.err
    assert hub.lines == [*INDICATORS[:2], b"not json", *INDICATORS]


def test_push_strict_fails_when_something_is_rejected(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert Ran(capfd, "push", "--strict", a_file(tmp_path, [b"not json"])).code == 1
    assert Ran(capfd, "push", "--strict", a_file(tmp_path, INDICATORS)).code == 0


def test_push_of_which_nothing_passed_fails(hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capfd, "push", a_file(tmp_path, [b"not json", b"{"]))
    assert (ran.code, ran.out) == (1, "received 2: accepted 0, unchanged 0, held 0, rejected 2\n")
    assert "The hub refused all 2 objects." in ran.err
    assert Ran(capfd, "push", a_file(tmp_path, [b"not json", INDICATORS[0]])).code == 0
    assert Ran(capfd, "push", a_file(tmp_path, [b""], "empty.json")).code == 1, "an empty file is an error of its own"


def test_problems_are_told_by_code_with_the_first_place_and_all_of_them_where_that_is_wanted(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = [INDICATORS[0], b"", b"not json", INDICATORS[1], b"{"]
    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(b'{"type":"bundle","objects":[\n' + INDICATORS[2] + b",\nnot json,\n" + INDICATORS[3] + b"]}")
    files = (a_file(tmp_path, lines), str(bundle))
    ran = Ran(capfd, "push", *files)
    told = [line for line in ran.err.splitlines() if "json.malformed" in line]
    assert told == [f"rejected  json.malformed  3, first {files[0]}:3 (no id): not JSON"]
    ran = Ran(capfd, "push", "--all", *files)
    places = [line.split()[2] for line in ran.err.splitlines() if "json.malformed" in line]
    assert places == [f"{files[0]}:3", f"{files[0]}:5", f"{bundle},"]
    ran = Ran(capfd, "push", "--json", *files)
    assert [problem["place"] for problem in ran.json["problems"]] == [
        {"file": files[0], "line": 3},
        {"file": files[0], "line": 5},
        {"file": str(bundle), "object": 2},
    ]


@pytest.mark.parametrize("name", ["event.json", "table.csv"])
def test_files_of_other_systems_are_called_by_their_name_and_the_way_is_named(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    path = tmp_path / name
    path.write_bytes({"event.json": b'{"Event": {"Attribute": []}}', "table.csv": b"ip,tag\n198.51.100.1,x\n"}[name])
    what = {"event.json": "a MISP event", "table.csv": "CSV"}[name]
    there = {"event.json": "FILE.csv", "table.csv": path}[name]  # a table is another file than the event
    for command in (("push",), ("check", "--no-lists")):
        ran = Ran(capfd, *command, str(path))
        assert (ran.code, ran.out) == (1, "")
        assert f"{path} is no STIX: this is {what}." in ran.err
        assert f"ctihub connect csv path={there} mapping=" in ran.err
    assert hub.lines == []


def test_push_json_is_one_document(hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capfd, "push", "--json", a_file(tmp_path, [*INDICATORS, b"{"]))
    counts = {name: ran.json[name] for name in ("received", "accepted", "unchanged", "held", "rejected")}
    assert counts == {"received": 6, "accepted": 5, "unchanged": 0, "held": 0, "rejected": 1}
    assert ran.json["problems"][0]["index"] == 5
    assert len(ran.json["receipts"]) == 1
    assert ran.err == ""


def test_push_reads_standard_input(
    hub: SmallHub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[" + b",".join(INDICATORS) + b"]")))
    assert Ran(capfd, "push", "-").code == 0
    assert hub.lines == INDICATORS


def test_problems_of_many_chunks_are_counted_over_the_whole_push(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = [b'{"n":%d}' % n for n in range(12_000)]
    lines[11_500] = b"{"
    ran = Ran(capfd, "push", "--json", a_file(tmp_path, lines))
    assert [len(push) for push in hub.pushes] == [5_000, 5_000, 2_000]
    assert [problem["index"] for problem in ran.json["problems"]] == [11_500]
    assert hub.lines == lines


def test_push_counts_what_is_larger_than_the_hub_takes_at_once(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.limit_bytes = 1_000
    ran = Ran(capfd, "push", "--json", a_file(tmp_path, [*INDICATORS, b'{"x":"' + b"y" * 2_000 + b'"}']))
    assert (ran.json["received"], ran.json["rejected"]) == (6, 1)
    assert ran.json["problems"][0]["code"] == "object.too-large"
    assert hub.lines == INDICATORS


def test_push_no_wait_prints_where_the_verdicts_will_be(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.pending_answers = 1_000_000
    ran = Ran(capfd, "push", "--no-wait", a_file(tmp_path, INDICATORS))
    assert ran.out == "https://elsewhere.example/v1/receipts/0\n"


def test_what_was_sent_before_a_file_fails_has_its_verdicts_and_then_the_failure_is_told(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [a_file(tmp_path, INDICATORS), a_file(tmp_path, [b"<html><body>Log in</body></html>"], "other.json")]
    ran = Ran(capfd, "push", *files)
    assert (ran.code, ran.out) == (1, "received 5: accepted 5, unchanged 0, held 0, rejected 0\n")
    assert "other.json" in ran.err
    ran = Ran(capfd, "push", "--no-wait", *files)
    assert (ran.code, ran.out) == (1, "https://elsewhere.example/v1/receipts/1\n")
    ran = Ran(capfd, "push", files[1])
    assert (ran.code, ran.out) == (1, "")


def test_push_survives_a_hub_that_is_busy_or_loses_its_answer(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.retry_after = "0"
    hub.plan.extend(["503", "lost", "429"])
    ran = Ran(capfd, "push", a_file(tmp_path, INDICATORS))
    assert ran.code == 0
    assert "The hub is busy. Trying again." in ran.err
    assert set(hub.lines) == set(INDICATORS)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["push", "nothing.json"], 1, "There is no file nothing.json. Name a file"),
        (["push"], 2, "Missing argument"),
        (["push", "--token", "wrong", "FILE"], 1, "is not valid at http://127.0.0.1:"),
        (["push", "--url", "hub.example", "FILE"], 2, "'hub.example' is not the address of a hub. Write it like http"),
        (["push", "--token", "", "FILE"], 2, "needs a token. Give --token, or set CTIHUB_TOKEN"),
        (["withdraw", "--token", "a b", "x"], 2, "The token holds characters"),
        (["withdraw"], 2, "There is nothing to withdraw. Name an id, a value or a --feed"),
        (["withdraw", "x", "--soft", "--undo"], 2, "--soft and --undo exclude each other"),
        (["connect", "stix-file", "path=x", "--feed", "My Feed"], 2, "'My Feed' is not the name of a feed"),
        (["subscribe", "community", "--from", "soon"], 2, "--from soon is neither start, now nor a number"),
        (["subscribe", "secret"], 1, "There is no such collection. Check --url"),
        (["subscribe", "community", "--via", "kafka"], 2, "Kafka needs --user and --bootstrap"),
        (["explain", "nothing"], 1, "The hub shows you nothing about nothing"),
        (["connect"], 2, "No connector is named. See ctihub connect --list"),
        (["connect", "taxi"], 2, "No connector is called taxi. Did you mean taxii?"),
        (["connect", "csv", "path=x"], 2, "The connector csv needs mapping=…. See ctihub connect --list csv"),
        (["connect", "taxii", "url=http://x", "user=me"], 2, "user needs a password: set CTIHUB_TAXII_PASSWORD"),
        (["connect", "stix-file", "path=x", "--metrics", "nowhere/x.prom"], 2, "There is no folder nowhere"),
        (["connect", "csv", "path"], 2, "'path' is not a setting. Write KEY=VALUE"),
        (["connect", "csv", "path=x", "maping=y"], 2, "has no setting 'maping'. Did you mean 'mapping'?"),
        (["connect", "csv", "path=x", "mapping=nothing"], 2, "There is no mapping nothing"),
        (["connect", "csv", "--config", "nothing.toml"], 2, "nothing.toml cannot be read"),
        (["connect", "stix-file", "path=x", "--to", "kafka"], 2, "Kafka needs --user and --bootstrap"),
    ],
)
def test_an_error_is_one_sentence_with_the_way_out(
    hub: SmallHub,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    says: str,
) -> None:
    file = a_file(tmp_path, INDICATORS)
    ran = Ran(capfd, *(file if word == "FILE" else word for word in words))
    assert says in ran.err
    assert ran.code == code
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_a_hub_that_is_away_is_a_sentence(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        ran = Ran(capfd, "push", "--url", url, "--token", "t", "--patience", "0.2", a_file(tmp_path, INDICATORS))
        assert ran.code == 1
        assert f"No answer from the hub at {url}" in ran.err.splitlines()[-1]
        assert "Check --url, and that the hub runs." in ran.err
        ran = Ran(capfd, "subscribe", "community", "--url", url, "--until-idle", "0.3")
        assert ran.code == 1, "silence because nobody is there is not the end of the changes"


# ---------------------------------------------------------------- receipt


def test_receipt_shows_what_became_of_an_earlier_push(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    where = Ran(capfd, "push", "--no-wait", a_file(tmp_path, [*INDICATORS, b"not json"])).out.strip()
    for said in (where, "0"):
        ran = Ran(capfd, "receipt", said)
        assert (ran.code, ran.out) == (0, "received 6: accepted 5, unchanged 0, held 0, rejected 1\n")
        assert ran.err == "rejected  json.malformed  #5 (no id): not JSON\n"
    hub.pending_answers = 1
    assert "1 of 2 pending" in Ran(capfd, "receipt", "0", where).err
    hub.pending_answers = 3
    ran = Ran(capfd, "receipt", "0", "--wait", "--json")
    assert (ran.json["rejected"], ran.err, hub.pending_answers) == (1, "", 0)


# ---------------------------------------------------------------- withdraw


def test_withdraw_takes_ids_from_the_words_and_from_standard_input(
    hub: SmallHub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ids = [an_id(n) for n in range(1, 5)]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{ids[2]}\n\n{ids[3]}\n"))
    ran = Ran(capfd, "withdraw", ids[0], ids[1], "-")
    assert (ran.code, ran.out) == (0, "withdrawals 4: accepted 4, unchanged 0, held 0, rejected 0\n")
    assert (hub.withdrawn, hub.how) == (ids, [{}])


def an_id(number: int) -> str:
    return f"indicator--00000000-0000-4000-8000-{number:012d}"


def a_claim(number: int, state: Any = "live", *, stands: bool = False, kind: str = "indicator") -> OwnClaimInfo:
    return OwnClaimInfo(id=an_id(number), type=kind, state=state, stands=stands, modified=None)


@pytest.mark.parametrize(
    ("option", "meant", "how", "says"),
    [
        ([], [1, 2, 3], {}, "2 indicator, 1 ipv4-addr; 1 withdrawn already"),
        (["--soft"], [1, 2], {"soft": True}, "1 indicator, 1 ipv4-addr; 2 withdrawn already"),
        (["--undo"], [4], {"restore": True}, "1 indicator; 3 not withdrawn"),
    ],
)
def test_withdraw_takes_values_and_means_the_claims_to_which_it_makes_a_difference(
    hub: SmallHub, capfd: pytest.CaptureFixture[str], option: list[str], meant: list[int], how: Any, says: str
) -> None:
    value = "198.51.100[.]7"
    hub.claims[value] = [
        a_claim(1), a_claim(2, "revoked", kind="ipv4-addr"), a_claim(3, "withdrawn"),
        a_claim(4, "withdrawn", stands=True),
    ]  # fmt: skip
    ran = Ran(capfd, "withdraw", value, *option)
    assert (ran.code, hub.withdrawn, hub.how) == (0, [an_id(n) for n in meant], [how])
    assert f"{value}: {says}\n" in ran.err


def test_withdraw_ends_with_1_where_nothing_of_that_was_there(hub: SmallHub, capfd: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capfd, "withdraw", "198.51.100.7", "--json")
    assert (ran.code, ran.json["received"], hub.withdrawn) == (1, 0, [])
    assert "198.51.100.7: none of your claims\n" in ran.err
    assert "Nothing of that was there; nothing was withdrawn." in ran.err
    ran = Ran(capfd, "withdraw", an_id(0))
    assert (ran.code, ran.out) == (1, "withdrawals 1: accepted 0, unchanged 1, held 0, rejected 0\n")
    assert "unchanged  withdrawal.unknown  #0" in ran.err
    assert Ran(capfd, "withdraw", an_id(0), an_id(1)).code == 0


def test_withdraw_takes_all_that_a_feed_has_published(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = [json.dumps({"type": "indicator", "id": an_id(n)}).encode() for n in range(1, 4)]
    feeds = [a_file(tmp_path, lines[:2], "a.ndjson"), a_file(tmp_path, lines[2:], "b.ndjson")]
    assert Ran(capfd, "connect", "stix-file", f"path={feeds[0]}", "--feed", "urlhaus").code == 0
    assert Ran(capfd, "withdraw", "--feed", "urlhaus").code == 0
    assert Ran(capfd, "withdraw", "--undo", "--feed", "urlhaus").code == 0
    assert hub.withdrawn == [an_id(1), an_id(2)] * 2
    assert hub.how == [{}, {"restore": True}]
    state = tmp_path / "state.json"
    assert Ran(capfd, "connect", "stix-file", f"path={feeds[1]}", "--state", str(state)).code == 0
    assert Ran(capfd, "withdraw", "--feed", str(state), "--feed", "urlhaus").code == 0
    assert hub.withdrawn[4:] == [an_id(3), an_id(1), an_id(2)]


def test_a_feed_must_be_one_that_has_published(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capfd, "withdraw", "--feed", "none")
    assert (ran.code, "No feed none has published anything from here." in ran.err) == (1, True)
    for name in ("a.ndjson", "b.ndjson"):
        Ran(capfd, "connect", "stix-file", f"path={a_file(tmp_path, INDICATORS, name)}")
    ran = Ran(capfd, "withdraw", "--feed", "stix-file")
    assert (ran.code, "Several feeds are called stix-file: stix-file-" in ran.err) == (2, True)
    one = ran.err.partition("stix-file: ")[2].partition(",")[0]
    assert Ran(capfd, "withdraw", "--feed", one).code == 0
    assert "Known are stix-file-" in Ran(capfd, "withdraw", "--feed", "other").err
    assert "Beside nowhere.json there is no list" in Ran(capfd, "withdraw", "--feed", "nowhere.json").err
    assert hub.withdrawn == [f"indicator--{n}" for n in range(5)]


def test_what_a_list_has_no_more_is_withdrawn_softly_where_that_is_wanted(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["connect", "stix-file", f"path={a_file(tmp_path, INDICATORS)}", "--withdraw-unlisted"]
    assert Ran(capfd, *words).code == 0
    a_file(tmp_path, INDICATORS[1:])
    ran = Ran(capfd, *words, "--json")
    assert (ran.json["withdrawn"], hub.withdrawn, hub.how) == (1, ["indicator--0"], [{"soft": True}])
    assert Ran(capfd, *words, "--to", "stdout").code == 2


# ---------------------------------------------------------------- subscribe


def test_subscribe_prints_a_line_for_each_change(hub: SmallHub, capfd: pytest.CaptureFixture[str]) -> None:
    hub.changes = changes(6)
    hub.stream_plan.extend([2, 1])
    ran = Ran(capfd, "subscribe", "community", "--until-idle", "3")
    assert ran.code == 0
    assert ran.lines[3:] == [{"id": "indicator--4"}, {"withdrawn": "indicator--5", "seq": 5}, {"id": "indicator--6"}]
    assert "continue with --from 6" in ran.err.splitlines()[-1]


def test_subscribe_goes_on_after_a_change(hub: SmallHub, capfd: pytest.CaptureFixture[str]) -> None:
    hub.changes = changes(6)
    ran = Ran(capfd, "subscribe", "community", "--from", "3", "--until-idle", "3", "--with-seq")
    assert ran.lines == [
        {"seq": 4, "object": {"id": "indicator--4"}},
        {"withdrawn": "indicator--5", "seq": 5},
        {"seq": 6, "object": {"id": "indicator--6"}},
    ]


def test_subscribe_from_now_names_the_newest_change_so_that_no_gap_opens(
    hub: SmallHub, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.changes = changes(6)
    ran = Ran(capfd, "subscribe", "community", "--from", "now", "--until-idle", "3")
    assert (ran.code, ran.out) == (0, "")
    assert hub.connections[0]["last-event-id"] == "6"


async def test_the_time_to_connect_does_not_count_as_idle() -> None:
    idle_s = 0.01

    class Late:
        seq: int | None = None
        trouble = None

        def __init__(self) -> None:
            self.on_attempt: Callable[[], None] = lambda: None

        async def changes(self) -> AsyncGenerator[ReceivedChange, None]:
            loop = asyncio.get_running_loop()
            late_s = loop.time() + 5 * idle_s
            await until(lambda: loop.time() > late_s)
            self.on_attempt()
            yield ReceivedChange(1, b"{}", None)
            await asyncio.Event().wait()

    printed: list[int] = []
    await follow(Late(), Printed(lambda change: printed.append(change.seq)), idle_s)
    assert printed == [1]


def test_subscribe_as_a_table_shows_no_control_characters(hub: SmallHub, capfd: pytest.CaptureFixture[str]) -> None:
    shown = {"type": "indicator", "pattern": "[x:v = '\x1b[2J']", "confidence": 80}
    hub.changes = [(1, "object", json.dumps(shown).encode()), (2, "withdrawn", b'{"id":"indicator--1"}')]
    ran = Ran(capfd, "subscribe", "community", "--until-idle", "3", "--format", "table")
    assert "\x1b" not in ran.out
    head, first, second = ran.out.splitlines()
    assert head.split() == ["SEQ", "WHAT", "TYPE", "CONF", "SHOWS"]
    assert first.split()[:4] == ["1", "object", "indicator", "80"]
    assert second.split() == ["2", "withdrawn", "indicator", "indicator--1"]


def test_subscribe_ends_quietly_when_nobody_reads_on(hub: SmallHub) -> None:
    hub.changes = changes(20_000)
    command = [sys.executable, "-m", "hub.cli", "subscribe", "community"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait(WITHIN_S) == 0
    assert said.startswith("Read up to change"), said
    assert len(said.splitlines()) == 1
    assert int(said.rsplit(maxsplit=1)[1].rstrip(".")) < 20_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_subscribe_that_is_stopped_says_where_to_go_on(hub: SmallHub, number: int) -> None:
    hub.changes = changes(3)
    command = [sys.executable, "-m", "hub.cli", "subscribe", "community"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert len([process.stdout.readline() for _ in range(3)]) == 3
        process.send_signal(number)
        assert process.wait(WITHIN_S) == 0
        assert process.stderr.read() == b"Read up to change 3; continue with --from 3.\n"


# ---------------------------------------------------------------- pull


@pytest.fixture
def taxii(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallTaxii]:
    small = SmallTaxii()
    monkeypatch.setenv("CTIHUB_URL", small.server.url)
    monkeypatch.setenv("CTIHUB_TOKEN", TOKEN)
    yield small
    small.stop()


def test_pull_prints_what_is_new_since_the_last_one(
    taxii: SmallTaxii, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = str(tmp_path / "pull.json")
    taxii.add(1, 2, 3)
    taxii.habits.add("other-host")  # a hub behind a forwarded port; the token stays with the host we were given
    assert [one["n"] for one in Ran(capfd, "pull", "first", "--state", state).lines] == [1, 2, 3]
    assert Ran(capfd, "pull", "first", "--state", state).out == ""
    taxii.add(4)
    ran = Ran(capfd, "pull", "first", "--state", state)
    assert [one["n"] for one in ran.lines] == [4]
    assert ran.err == "1 objects.\n"
    assert taxii.authorization == f"Bearer {TOKEN}"
    assert [one["n"] for one in Ran(capfd, "pull", "first").lines] == [1, 2, 3, 4]


def test_pull_of_a_collection_that_is_not_there_names_those_that_are(
    taxii: SmallTaxii, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capfd, "pull", "third")
    assert (ran.code, ran.err) == (1, "Error: You may read no collection third. You may read: first, second.\n")


# ---------------------------------------------------------------- explain, status


def test_explain_shows_claims_and_how_they_were_merged(hub: SmallHub, capfd: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capfd, "explain", "http://bad.example/a?b=1#c")
    assert ran.code == 0
    assert "[ipv4-addr:value = 'http://bad.example/a?b=1#c']" in ran.out
    assert "confidence 80 = 100 - (100-60)(100-50)/100 (voices: 2)" in ran.out
    assert "cert-ro" in ran.out
    assert "\x1b[2J" not in ran.out


def test_explain_json_is_the_hubs_answer(hub: SmallHub, capfd: pytest.CaptureFixture[str]) -> None:
    assert Ran(capfd, "explain", "198.51.100.7", "--json").json["things"][0]["views"][0]["confidence"] == 80


def test_status_is_one_screen(hub: SmallHub, capfd: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capfd, "status")
    assert ran.code == 0
    assert "received" in ran.out
    assert Ran(capfd, "status", "--json").json["flow"]["received"] == 5


# ---------------------------------------------------------------- connect


def test_connect_publishes_remembers_and_goes_on(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "feed"
    folder.mkdir()
    a_file(folder, INDICATORS[:3], "a.ndjson")
    ran = Ran(capfd, "connect", "stix-file", f"path={folder}")
    assert (ran.code, ran.out) == (0, "received 3: accepted 3, unchanged 0, held 0, rejected 0\n")
    a_file(folder, INDICATORS[3:], "b.ndjson")
    ran = Ran(capfd, "connect", "stix_file", f"path={folder}", "--json")
    assert ran.json["received"] == 2
    assert hub.lines == INDICATORS
    (kept,) = (tmp_path / "state" / "ctihub").glob("*.json")
    assert kept.name.startswith("stix-file-")


def test_connect_says_what_was_left_out(hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    feed = a_file(tmp_path, [b"198.51.100.1", b"nothing", b"198.51.100.1"], "list.txt")
    config = tmp_path / "config.toml"
    config.write_text(f'path = "{feed}"\nmapping = "list"\ntlp = "red"\ncentre = "cert-ro"\n')
    ran = Ran(capfd, "connect", "csv", "--config", str(config), "tlp=green")
    assert ran.code == 0
    assert "left out: 1, not a value of any kind" in ran.err
    assert "left out: 1, a repeated value" in ran.err
    assert hub.objects()[0]["object_marking_refs"] == ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]


def test_connect_tells_scripts_what_was_left_out(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    feed = a_file(tmp_path, [b"198.51.100.1", b"nothing", b"198.51.100.1"], "list.txt")
    words = ("connect", "csv", f"path={feed}", "mapping=list", "centre=cert-ro", "--json")
    told = {one["reason"]: one for one in Ran(capfd, *words).json["left_out"]}
    assert told["a repeated value"]["count"] == 1
    assert all(set(one) == {"reason", "count", "first"} for one in told.values())


def test_connect_publishes_what_a_broken_source_gave_and_fails(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"\n".join(INDICATORS))[:-8])
    ran = Ran(capfd, "connect", "stix-file", f"path={tmp_path}")
    assert ran.code == 1
    # the last line has no end, so it may be half a line: the next run will tell
    assert ran.out == "received 4: accepted 4, unchanged 0, held 0, rejected 0\n"
    assert "a.json.gz cannot be read" in ran.err.splitlines()[-1]


def test_connect_fails_where_the_source_gives_nothing_usable_and_tells_scripts_and_prometheus_why(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    feed, metrics = tmp_path / "feed.json", tmp_path / "feed.prom"
    feed.write_bytes(b"\n".join(INDICATORS))
    words = ("connect", "stix-file", f"path={feed}", "--metrics", str(metrics), "--json")
    assert Ran(capfd, *words).json["failed"] is None
    assert samples(metrics)["ctihub_connector_objects", ""] == 5
    succeeded = samples(metrics)["ctihub_connector_last_success_timestamp_seconds", ""]
    feed.write_bytes(b"<html><title>Moved</title>")
    for _ in range(2):
        ran = Ran(capfd, *words)
        assert ran.code == 1
        assert ran.json["failed"]["code"] == "source.not-a-feed"
        assert f'{feed} is a web page ("Moved").' in ran.err
        assert samples(metrics)["ctihub_connector_failed", "source.not-a-feed"] == 1
        assert samples(metrics)["ctihub_connector_last_success_timestamp_seconds", ""] == succeeded
    feed.write_bytes(INDICATORS[0])
    ran = Ran(capfd, *words)
    assert (ran.code, [one["code"] for one in ran.json["warnings"]]) == (0, ["source.shrunk"])
    assert samples(metrics)["ctihub_connector_warnings", "source.shrunk"] == 1
    assert samples(metrics)["ctihub_connector_failed", ""] == 0
    assert samples(metrics)["ctihub_connector_last_success_timestamp_seconds", ""] > succeeded


def samples(path: Path) -> dict[tuple[str, str], float]:
    """The values in a file of metrics, by name and code."""
    families = text_string_to_metric_families(path.read_text())
    found = [sample for family in families for sample in family.samples]
    assert {sample.labels["feed"] for sample in found} == {path.stem}
    return {(sample.name, sample.labels.get("code", "")): sample.value for sample in found}


def test_connect_fails_where_the_hub_refuses_everything(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    feed = a_file(tmp_path, [b'{"id":"x--1"', b'{"id":"x--2"'])
    ran = Ran(capfd, "connect", "stix-file", f"path={feed}")
    assert ran.code == 1
    assert "received 2: accepted 0, unchanged 0, held 0, rejected 2" in ran.out
    assert "The hub refused all 2 objects" in ran.err


def test_connect_takes_the_centre_from_the_token_so_that_ids_do_not_change_when_it_is_set(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    feed = a_file(tmp_path, [b"198.51.100.1"], "list.txt")
    words = ["connect", "csv", f"path={feed}", "mapping=list"]
    assert Ran(capfd, *words).code == 0
    assert Ran(capfd, *words, "centre=cert-ro").code == 0
    assert len(hub.lines) == 1, "it is the same checkpoint, and the same id"
    ran = Ran(capfd, *words, "centre=cert-it")
    assert len({one["id"] for one in hub.objects()}) == 2
    assert "source.new-ids: Centre was 'cert-ro' and is 'cert-it'" in ran.err
    assert "The 1 that were published under the old ids stay at the hub" in ran.err
    hub.centres = []
    ran = Ran(capfd, *words)
    assert ran.code == 2
    assert "The hub does not say which centre this token belongs to. Set centre=NAME" in ran.err
    ran = Ran(capfd, *words, "--to", "stdout", "--state", str(tmp_path / "state"))
    assert "set centre=NAME" in ran.err


def test_connect_goes_on_after_a_page_that_cannot_be_read(hub: SmallHub) -> None:
    taxii = SmallTaxii(answers=deque([Response(b'{"objects":' + b"[" * 200_000)]))
    taxii.add(1, 2)
    command = [sys.executable, "-m", "hub.cli", "connect", "taxii", f"url={taxii.url}", "--every", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        wait_until(lambda: len(hub.lines) == 2)
        process.send_signal(2)
        assert process.wait(WITHIN_S) == 130
        assert process.stderr
        assert b"nests more than 100 deep" in process.stderr.read()
    taxii.stop()


def test_patience_holds_for_the_source_too(hub: SmallHub, capfd: pytest.CaptureFixture[str]) -> None:
    taxii = SmallTaxii(retry_after="1e308")
    taxii.plan.extend([503] * 3)
    ran = Ran(capfd, "connect", "taxii", f"url={taxii.url}", "--patience", "3")
    assert (ran.code, len(taxii.plan)) == (1, 2)
    taxii.stop()


def test_connect_to_standard_output_needs_no_hub(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    feed = a_file(tmp_path, INDICATORS)
    ran = Ran(capfd, "connect", "stix-file", f"path={feed}", "--to", "stdout", "--state", str(tmp_path / "s.json"))
    assert ran.code == 0
    assert ran.out.encode().splitlines() == INDICATORS


def test_looking_at_standard_output_moves_no_checkpoint(
    hub: SmallHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("connect", "stix-file", f"path={a_file(tmp_path, INDICATORS)}")
    for _ in range(2):
        assert len(Ran(capfd, *words, "--to", "stdout").out.splitlines()) == len(INDICATORS)
    assert not (tmp_path / "state").exists()
    state = ("--state", str(tmp_path / "s.json"))
    assert len(Ran(capfd, *words, "--to", "stdout", *state).out.splitlines()) == len(INDICATORS)
    assert Ran(capfd, *words, "--to", "stdout", *state).out == "", "it was asked to remember"
    assert Ran(capfd, *words).code == 0
    assert hub.lines == INDICATORS


def test_connect_list_shows_connectors_and_their_settings(capfd: pytest.CaptureFixture[str]) -> None:
    assert [line.split()[0] for line in Ran(capfd, "connect", "--list").out.splitlines()] == [
        "csv",
        "stix-file",
        "taxii",
    ]
    assert "mapping  required" in Ran(capfd, "connect", "csv", "--list").out
    assert {one["name"] for one in Ran(capfd, "connect", "--list", "--json").json} == {"csv", "stix-file", "taxii"}


def test_connect_every_runs_again_and_ends_with_ctrl_c(hub: SmallHub, tmp_path: Path) -> None:
    folder = tmp_path / "feed"
    folder.mkdir()
    command = [sys.executable, "-m", "hub.cli", "connect", "stix-file", f"path={folder}/*.ndjson", "--every", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr
        assert b"There is no file" in process.stderr.readline() + process.stderr.readline()
        a_file(folder, INDICATORS[:2], "a.ndjson")
        wait_until(lambda: hub.lines == INDICATORS[:2])
        a_file(folder, INDICATORS[2:], "b.ndjson")
        wait_until(lambda: hub.lines == INDICATORS)
        process.send_signal(2)
        assert process.wait(WITHIN_S) == 130
