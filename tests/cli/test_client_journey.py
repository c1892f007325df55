"""The client commands against a real ``ctihub serve``: a centre's whole day, and a member's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.cli import run
from tests.running import RunningHub
from tests.waiting import WITHIN_S, wait_until

MOMENT = "2026-01-02T00:00:00.000Z"
FORMATS = Path(__file__).parent.parent / "data" / "csv" / "formats"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    found = RunningHub(tmp_path_factory.mktemp("hub"))
    found.register(("cert-ro", "cert-it"), member="soc", default_tlp="green")
    with found.running():
        yield found


class Ctihub:
    """The command line, as one principal."""

    def __init__(self, hub: RunningHub, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        self._hub, self._capfd, self.folder = hub, capfd, tmp_path

    def __call__(self, who: str, *words: str, code: int = 0) -> str:
        self._capfd.readouterr()
        ended = run([*words, "--url", self._hub.url, "--token", self._hub.tokens[who]])
        out, err = self._capfd.readouterr()
        assert ended == code, err
        return out

    def json(self, who: str, *words: str, code: int = 0) -> Any:
        return json.loads(self(who, *words, "--json", code=code))

    def lines(self, who: str, *words: str) -> list[Any]:
        return [json.loads(line) for line in self(who, *words).splitlines()]

    def file(self, *objects: Any) -> str:
        path = self.folder / "feed.ndjson"
        path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in objects))
        return str(path)


@pytest.fixture
def ctihub(
    hub: RunningHub, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Ctihub:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Ctihub(hub, capfd, tmp_path)


def an_indicator(number: int, value: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--00000000-0000-4000-8000-{number:012d}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "pattern": f"[ipv4-addr:value = '{value}']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        **more,
    }


def test_a_push_shows_in_every_way_of_reading_and_a_withdrawal_takes_it_back(ctihub: Ctihub) -> None:
    first, second = an_indicator(1, "198.51.100.1", confidence=60), an_indicator(2, "198.51.100.1/32", confidence=50)
    pushed = ctihub.json("cert-ro", "push", ctihub.file(first, "not json"))
    assert (pushed["accepted"], pushed["rejected"]) == (1, 1)
    assert [(one["index"], one["code"]) for one in pushed["problems"]] == [(1, "json.malformed")]
    assert ctihub.json("cert-it", "push", ctihub.file(second))["accepted"] == 1

    def indicators(lines: list[Any]) -> list[Any]:
        shown = [one for one in lines if "198.51.100.1'" in one.get("pattern", "")]
        return [(one["id"], one["modified"], one.get("confidence"), one.get("revoked", False)) for one in shown]

    streamed = ctihub.lines("soc", "subscribe", "community", "--until-idle", "5")
    shown = indicators(streamed)
    assert [confidence for _, _, confidence, _ in shown] == [60, 80]
    state = str(ctihub.folder / "pull.json")
    assert indicators(ctihub.lines("soc", "pull", "community", "--all-versions", "--state", state)) == shown

    view = ctihub.json("soc", "explain", "198.51.100.1")["things"][0]["views"][0]
    assert {claim["centre"] for claim in view["claims"]} == {"cert-ro", "cert-it"}
    assert (view["confidence"], view["id"]) == (80, shown[-1][0])

    withdrawn = ctihub("cert-ro", "withdraw", first["id"])
    assert withdrawn == "withdrawals 1: accepted 1, unchanged 0, held 0, rejected 0\n"
    ctihub("cert-it", "withdraw", second["id"])
    after = ctihub.lines("soc", "subscribe", "community", "--until-idle", "5")
    assert shown[0][0] in [one["withdrawn"] for one in after if "withdrawn" in one]
    news = ctihub.lines("soc", "pull", "community", "--state", state)
    assert indicators(news)[-1][3] is True


def test_a_withdrawal_by_value_or_of_a_feed_stands_until_it_is_taken_back(ctihub: Ctihub) -> None:
    value = "203.0.113.201"
    feed = ctihub.file(an_indicator(201, value), an_indicator(202, f"{value}/32"), an_indicator(203, "203.0.113.203"))
    run = ("cert-ro", "connect", "stix-file", f"path={feed}", "--feed", "urls")
    assert ctihub.json(*run)["accepted"] == 3
    assert ctihub.json("cert-ro", "withdraw", "203.0.113[.]201")["accepted"] == 2
    again = ctihub.json("cert-ro", "push", feed)
    assert [one["code"] for one in again["problems"]] == ["withdrawal.stands"] * 2 + ["version.same"]
    gone = ctihub.json("cert-ro", "withdraw", "--feed", "urls")
    assert (gone["accepted"], gone["unchanged"]) == (1, 2)
    assert ctihub.json("cert-ro", "withdraw", "--feed", "urls", "--undo")["accepted"] == 3
    assert ctihub.json("cert-ro", "push", feed)["accepted"] == 3
    assert ctihub.json("cert-ro", "withdraw", "--soft", value)["accepted"] == 2
    assert ctihub.json("cert-ro", "push", feed)["accepted"] == 2


def test_mine_shows_what_a_source_has_published_and_where(ctihub: Ctihub) -> None:
    shown, over, gone = (an_indicator(900 + n, f"192.0.2.{200 + n}") for n in range(3))
    over["revoked"] = True
    ctihub("cert-it", "push", ctihub.file(shown, over, gone, "not json"))
    ctihub("cert-it", "withdraw", gone["id"])
    rows = {row["id"]: row for row in ctihub.json("cert-it", "mine") if row["id"]}
    assert rows[shown["id"]]["state"] == "live"
    assert "community" in [place["collection"] for place in rows[shown["id"]]["shown"]]
    assert (rows[over["id"]]["shown"], rows[over["id"]]["kept_out"]) == ([], "revoked")
    assert (rows[gone["id"]]["state"], rows[gone["id"]]["shown"]) == ("withdrawn", [])
    states = [row["state"] for row in ctihub.json("cert-it", "mine", "--state", "rejected", "--state", "withdrawn")]
    assert set(states) == {"rejected", "withdrawn"}
    table = ctihub("cert-it", "mine", "--state", "live", "--limit", "1")
    assert table.count("indicator--") == 1


def test_a_member_pushes_what_it_saw_and_takes_it_back(ctihub: Ctihub) -> None:
    indicator = an_indicator(70, "198.51.100.70")
    ctihub("cert-ro", "push", ctihub.file(indicator))
    shown = next(one for one in ctihub.lines("soc", "pull", "community") if "198.51.100.70" in one.get("pattern", ""))
    named = {name: shown[name] for name in ("spec_version", "created", "modified")}
    sighting = named | {
        "type": "sighting",
        "id": "sighting--00000000-0000-4000-8000-000000000070",
        "sighting_of_ref": shown["id"],
        "object_marking_refs": shown["object_marking_refs"],
    }
    pushed = ctihub.json("soc", "push", ctihub.file(sighting, indicator))
    assert (pushed["accepted"], pushed["rejected"]) == (1, 1)
    assert [(one["index"], one["code"]) for one in pushed["problems"]] == [(1, "type.not-yours")]

    def sightings() -> list[str]:
        found = ctihub.lines("cert-it", "pull", "community")
        return [one["sighting_of_ref"] for one in found if one["type"] == "sighting"]

    assert sightings() == [shown["id"]]
    assert ctihub("soc", "withdraw", sighting["id"]) == "withdrawals 1: accepted 1, unchanged 0, held 0, rejected 0\n"
    assert sightings() == []


REAL = Path(__file__).parent.parent / "data" / "real-life"


def deep_bundles() -> bytes:
    """Objects one to four bundles deep, something that is no object, and an empty bundle."""
    whole: Any = an_indicator(40, "198.51.100.40")
    for number in range(4):
        inside = [whole, an_indicator(41 + number, f"198.51.100.{41 + number}"), 7, {"type": "bundle"}]
        whole = {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000000", "objects": inside}
    return json.dumps(whole, indent=1).encode("utf-16")


def test_an_export_replaces_its_file_at_once_and_only_when_the_list_has_changed(ctihub: Ctihub) -> None:
    where = ctihub.folder / "list.txt"
    words = ("export", "community", "--type", "ipv4-addr", "--min-confidence", "90", "-o", str(where))
    ctihub("cert-ro", "push", ctihub.file(an_indicator(70, "203.0.113.70", confidence=95)))
    found = ctihub.json("soc", *words)
    assert (found["changed"], found["lines"], found["skipped"]) == (True, 1, 0)
    assert where.read_text() == "203.0.113.70\n"
    assert list(where.parent.glob(".ctihub-*")) == []
    where.chmod(0o640)
    before = where.stat()
    assert ctihub.json("soc", *words)["changed"] is False
    assert (where.stat().st_ino, where.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    ctihub("cert-ro", "push", ctihub.file(an_indicator(71, "203.0.113.71", confidence=95)))
    assert ctihub.json("soc", *words)["changed"] is True
    assert sorted(where.read_text().split()) == ["203.0.113.70", "203.0.113.71"]
    assert where.stat().st_mode == before.st_mode
    assert ctihub("soc", *words[:-2], "--limit", "1", "--defang") == "203[.]0[.]113[.]71\n"


def test_an_export_that_fails_leaves_the_old_file(ctihub: Ctihub) -> None:
    where = ctihub.folder / "list.txt"
    where.write_text("old\n")
    ctihub("soc", "export", "community", "--format", "pdf", "-o", str(where), code=1)
    ctihub("soc", "export", "community", "--option", "zone=x", "-o", str(where), code=1)
    ctihub("soc", "export", "community", "-o", str(ctihub.folder / "none" / "list.txt"), code=2)
    ctihub("soc", "export", "community", "-o", str(ctihub.folder), code=2)
    pipe = ctihub.folder / "pipe"
    os.mkfifo(pipe)
    ctihub("soc", "export", "community", "-o", str(pipe), code=2)
    assert pipe.is_fifo()
    assert where.read_text() == "old\n"
    assert [path.name for path in ctihub.folder.iterdir() if path.name.startswith(".ctihub-")] == []


@pytest.mark.parametrize(
    ("name", "received", "rejected"),
    [
        ("revocation.ndjson", 2, 0),
        ("nothing-said.json", 3, 1),
        ("nothing-said-custom.json", 2, 0),
        ("stix-in-utf16.json", 1, 0),
        ("version-on-the-bundle.json", 1, 0),
        ("bundles-in-a-list.json", 2, 0),
        ("bundles-in-bundles.json", 2, 0),
        ("bundles-in-bundles.envelope.json", 2, 0),
        ("packed.json.zip", 1, 0),
        ("deep", 7, 4),
    ],
)
def test_check_says_the_same_as_the_hub_does(
    ctihub: Ctihub, capfd: pytest.CaptureFixture[str], name: str, received: int, rejected: int
) -> None:
    path = REAL / name
    if name == "deep":
        path = ctihub.folder / "deep.json"
        path.write_bytes(deep_bundles())
    capfd.readouterr()
    assert run(["check", "--no-lists", "--json", str(path)]) == (1 if rejected else 0)
    checked = json.loads(capfd.readouterr().out)
    pushed = ctihub.json("cert-ro", "push", str(path))
    assert (pushed["received"], pushed["rejected"]) == (received, rejected) == (checked["checked"], checked["refused"])
    assert pushed["accepted"] == received - rejected
    problems = [(one["index"], one["state"], one["code"]) for one in pushed["problems"]]
    assert problems == [(one["index"], one["state"], one["code"]) for one in checked["problems"]]
    assert ("bundle.too-deep" in {code for _, _, code in problems}) == (name == "deep")


def test_an_unchanged_feed_is_unchanged_at_the_hub(ctihub: Ctihub) -> None:
    words = ("connect", "csv", f"path={FORMATS / 'threatfox-recent.csv'}", "mapping=threatfox")
    assert ctihub.json("cert-ro", *words, "--state", str(ctihub.folder / "a.json"))["accepted"] == 5
    named = (*words, "centre=cert-ro")  # as the hub knows the token's owner
    assert ctihub.json("cert-ro", *named, "--state", str(ctihub.folder / "b.json"))["unchanged"] == 5
    assert ctihub.json("cert-ro", *words, "--state", str(ctihub.folder / "b.json"))["received"] == 0


def test_one_hub_reads_another_over_taxii(ctihub: Ctihub, hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    ctihub("cert-ro", "push", ctihub.file(*(an_indicator(10 + n, f"198.51.100.{10 + n}") for n in range(20))))
    monkeypatch.setenv("CTIHUB_TAXII_TOKEN", hub.tokens["soc"])
    words = ["connect", "taxii", f"url={hub.url}/taxii2/", "collections=community", "page_objects=7", "--to", "stdout"]
    words += ["--state", str(ctihub.folder / "state.json")]
    lines = ctihub.lines("soc", *words)
    assert sum("198.51.100.1" in one.get("pattern", "") for one in lines) >= 10
    assert ctihub("soc", *words) == ""
    ctihub("cert-ro", "push", ctihub.file(an_indicator(40, "198.51.100.40")))
    (new,) = ctihub.lines("soc", *words)
    assert new["pattern"] == "[ipv4-addr:value = '198.51.100.40']"


def test_status_shows_a_centre_itself_and_an_operator_everything(ctihub: Ctihub) -> None:
    ctihub("cert-ro", "push", ctihub.file(an_indicator(50, "198.51.100.50")))
    own, everything = ctihub.json("cert-ro", "status"), ctihub.json("watch", "status")
    assert [one["centre"] for one in own["centres"]] == ["cert-ro"]
    assert {one["centre"] for one in everything["centres"]} == {"cert-ro", "cert-it", "members"}
    flow = everything["flow"]
    assert flow["received"] == sum(flow[name] for name in ("accepted", "unchanged", "held", "rejected"))
    assert "community" in ctihub("watch", "status")


def test_the_hubs_refusals_are_sentences(ctihub: Ctihub, capfd: pytest.CaptureFixture[str], hub: RunningHub) -> None:
    for words, says in (
        (("watch", "push", ctihub.file(an_indicator(1, "198.51.100.1"))), "a centre or a member"),
        (("soc", "subscribe", "network"), "no such collection that you may read"),
        (("soc", "subscribe", "community", "--from", "999999999"), "has not reached change 999999999"),
        (("soc", "explain", "203.0.113.254"), "203.0.113.254"),
    ):
        who, *rest = words
        assert run([*rest, "--url", hub.url, "--token", hub.tokens[who]]) == 1
        out, err = capfd.readouterr()
        assert out == ""
        assert says in err
        assert len(err.splitlines()) == 1


def test_a_push_and_a_subscription_outlive_a_hub_that_is_killed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub = RunningHub(tmp_path / "hub")
    hub.register(("cert-ro",), default_tlp="green")
    hub.start()
    objects = [an_indicator(n, f"198.51.{n >> 8}.{n & 255}") for n in range(8_000)]
    (tmp_path / "feed.ndjson").write_text("\n".join(map(json.dumps, objects)))
    whole = threading.Event()

    def kill_it() -> None:
        for at in (1, 3_000):
            wait_until(lambda at=at: hub.last_seq("community", "soc") > at or whole.is_set())  # type: ignore[misc]
            hub.kill()
            hub.start()

    killer = threading.Thread(target=kill_it)
    killer.start()
    try:
        push = ["push", str(tmp_path / "feed.ndjson"), "--json", "--url", hub.url, "--token", hub.tokens["cert-ro"]]
        assert run(push) == 0
        whole.set()
        counts = json.loads(capfd.readouterr().out)
        assert counts["accepted"] + counts["unchanged"] == counts["received"] >= 8_000
        read = ["subscribe", "community", "--until-idle", "10", "--url", hub.url, "--token", hub.tokens["soc"]]
        assert run(read) == 0
        shown = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        assert len({one["pattern"] for one in shown if one.get("type") == "indicator"}) == 8_000
    finally:
        whole.set()
        killer.join(WITHIN_S)
        hub.stop()
    assert not killer.is_alive()


@pytest.mark.parametrize("unbuffered", ["1", ""])
@pytest.mark.parametrize("command", ["pull", "connect"])
def test_whoever_reads_one_line_and_goes_finds_the_rest_the_next_time(
    hub: RunningHub, ctihub: Ctihub, command: str, unbuffered: str
) -> None:
    many = [an_indicator(1000 + n, f"203.0.113.{n}", description="long " * 400) for n in range(250)]
    feed, state = ctihub.file(*many), ctihub.folder / "state.json"
    ctihub("cert-ro", "push", feed)
    words = (
        ["pull", "community", "--state", str(state), "--url", hub.url, "--token", hub.tokens["soc"]]
        if command == "pull"
        else ["connect", "stix-file", f"path={feed}", "--to", "stdout", "--state", str(state)]
    )
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "XDG_STATE_HOME": str(ctihub.folder)}
    whole = [sys.executable, "-m", "hub.cli", *words]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as reading:
        assert reading.stdout is not None
        assert json.loads(reading.stdout.readline())
        reading.stdout.close()
        assert reading.wait(WITHIN_S) != 0
    again = subprocess.run(whole, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=True)
    found = {one.get("description", "")[:5] + one["id"] for one in map(json.loads, again.stdout.splitlines())}
    assert len([one for one in found if one.startswith("long ")]) == len(many)
    after = subprocess.run(whole, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=True)
    assert b"long " not in after.stdout


def test_a_member_says_what_it_has_seen_and_the_centre_sees_it_in_explain(ctihub: Ctihub) -> None:
    ctihub("cert-ro", "push", ctihub.file(an_indicator(91, "198.51.100.91")))
    seen = ("sighting", "198.51.100[.]91", "--count", "3", "--note", "In our gateway.", "--tlp", "green")
    assert ctihub.json("soc", *seen)["accepted"] == 1
    said = ("feedback", "198.51.100.91", "--verdict", "false-positive", "--reason", "Our printer.", "--tlp", "green")
    assert "accepted 1" in ctihub("soc", *said)
    for who, expected in (("cert-ro", ["false-positive", "sighting"]), ("soc", [])):
        (thing,) = ctihub.json(who, "explain", "198.51.100.91")["things"]
        (view,) = [one for one in thing["views"] if one["collection"] == "community"]
        assert sorted(one["kind"] for one in view["feedback"]) == expected
    assert "Our printer." in ctihub("cert-ro", "explain", "198.51.100.91")
    ctihub("soc", "feedback", "198.51.100.91", "--verdict", "wrong", code=2)
    ctihub("soc", "sighting", "no such thing", code=1)


def test_explain_tells_of_an_earlier_change_of_somebody_else_and_of_what_is_around(ctihub: Ctihub) -> None:
    network = an_indicator(92, "192.0.2.96/28", name="A network.")
    ctihub("cert-ro", "push", ctihub.file(network, an_indicator(93, "192.0.2.99", confidence=40)))
    ctihub("cert-ro", "push", ctihub.file(an_indicator(93, "192.0.2.99", confidence=60, modified=MOMENT)))
    (thing,) = ctihub.json("soc", "explain", "192.0.2.99")["things"]
    (view,) = [one for one in thing["views"] if one["collection"] == "community"]
    at = ("--collection", "community", "--at")
    assert "confidence 60" in ctihub("soc", "explain", "192.0.2.99", *at, str(view["seq"]))
    assert "confidence 40" in (earlier := ctihub("soc", "explain", "192.0.2.99", *at, str(view["seq"] - 1)))
    assert "not kept" in earlier
    ctihub("soc", "explain", "192.0.2.99", *at, "999999", code=1)
    around = ctihub("soc", "explain", "192.0.2.99")
    assert "192.0.2.96/28" in around.partition("around it")[2]
    assert "A network." in ctihub("soc", "explain", "192.0.2.96/28")
    assert "public: not for soc: level" in ctihub("watch", "explain", "192.0.2.99", "--as", "soc")
    assert "network: not for soc: access" in ctihub("watch", "explain", "192.0.2.99", "--as", "soc")
    ctihub("soc", "explain", "192.0.2.99", "--as", "soc", code=1)
    ctihub("watch", "explain", "192.0.2.99", "--as", "nobody-here", code=1)


def test_deliveries_show_who_has_fetched_what_and_who_is_behind(ctihub: Ctihub) -> None:
    ctihub("cert-ro", "push", ctihub.file(an_indicator(94, "198.51.100.94")))
    ctihub("soc", "pull", "community", "--state", str(ctihub.folder / "pulled.json"))

    def lag() -> Any:
        found = ctihub.json("soc", "deliveries")
        (one,) = [each for each in found["behind"] if each["collection"] == "community"]
        return one if one["at"] and not one["behind"] and found["deliveries"][0]["door"] == "taxii" else None

    one = wait_until(lag, what="what was pulled to be in the journal")
    assert one["reached"] == one["last_seq"] > 0
    shown = ctihub("soc", "deliveries")
    assert "last fetched" in shown
    assert "ago" in shown or "now" in shown
    assert "cert-it" not in ctihub("soc", "deliveries")
    everybody = ctihub("watch", "deliveries")
    assert "cert-it" in everybody
    assert "never" in everybody
    assert {each["principal"] for each in ctihub.json("watch", "deliveries", "soc")["behind"]} == {"soc"}
    ctihub("soc", "deliveries", "cert-it", code=1)
    ctihub("watch", "deliveries", "nobody-here", code=1)
