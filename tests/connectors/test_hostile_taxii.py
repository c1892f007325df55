"""A TAXII server that means harm, or stands behind something that does not know TAXII: bounded, told, never passed."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors.sdk import CheckpointFile, Runner, SourceFailed, TryLater
from connectors.sdk.catalogue import make
from connectors.sdk.testing import Kept
from connectors.taxii import envelope as envelope_module
from connectors.taxii import reader as reader_module
from connectors.taxii.envelope import NESTING, EnvelopeError, EnvelopeScanner
from connectors.taxii.origins import difference, on_same_server
from tests.connectors.small_hub import Server
from tests.connectors.small_taxii import TAXII, SmallTaxii
from tests.servers.certificates import Authority
from tests.waiting import WITHIN_S

REAL_LIFE = Path(__file__).parent.parent / "data" / "real-life"


@pytest.fixture
def server() -> Iterator[SmallTaxii]:
    small = SmallTaxii()
    yield small
    small.stop()


def run(server: SmallTaxii, checkpoints: CheckpointFile | None = None, **settings: Any) -> list[bytes]:
    """What one run publishes. Raises what it raises."""
    kept, patience_s = Kept(), settings.pop("patience_s", 5.0)
    connector = make("taxii", {"url": server.url, "collections": "first", **settings})
    connector.patience_s = patience_s
    Runner(connector, kept, checkpoints).run()
    return kept.bodies


def failure(server: SmallTaxii, **settings: Any) -> SourceFailed:
    with pytest.raises(SourceFailed) as raised:
        run(server, **settings)
    assert raised.value.way_out
    return raised.value


def page(body: bytes, **headers: str) -> Response:
    return Response(body, headers={"Content-Type": TAXII, **headers})


# ---------------------------------------------------------------- the same server and another


SAME = [
    ("https://taxii.example/taxii2/", "https://TAXII.Example/root/", "https://taxii.example/root/"),
    ("https://taxii.example/taxii2/", "https://taxii.example:443/root/", "https://taxii.example/root/"),
    ("https://taxii.example./taxii2/", "https://taxii.example/root/", "https://taxii.example./root/"),
    ("https://taxii.example/taxii2/", "https://taxii.example./root/?a=1", "https://taxii.example/root/?a=1"),
    ("https://bücher.example/t/", "https://xn--bcher-kva.example/r/", "https://bücher.example/r/"),
    ("https://xn--bcher-kva.example/t/", "https://BÜCHER.example/r/", "https://xn--bcher-kva.example/r/"),
    ("https://taxii.example/t/", "http://taxii.example/root/", "https://taxii.example/root/"),
    ("https://taxii.example/t/", "http://taxii.example:80/root/", "https://taxii.example/root/"),
    ("https://taxii.example:8443/t/", "http://taxii.example:8443/r/", "https://taxii.example:8443/r/"),
    ("http://taxii.example/t/", "https://taxii.example/root/", "https://taxii.example/root/"),
    ("http://[::1]:8080/t/", "http://[0:0:0:0:0:0:0:1]:8080/r/", "http://[::1]:8080/r/"),
    ("https://taxii.example/t/", "https://someone:secret@taxii.example/r/", "https://taxii.example/r/"),
]
OTHERS = [
    (
        "https://taxii.example/t/",
        "https://elsewhere.example/r/",
        "another host, elsewhere.example instead of taxii.exa",
    ),
    ("https://taxii.example/t/", "https://taxii.example.evil.example/r/", "another host, taxii.example.evil.example"),
    ("https://taxii.example/t/", "https://taxii.example@evil.example/r/", "another host, evil.example"),
    ("https://taxii.example/t/", "https://taxii.example:8443/r/", "another port, 8443 instead of 443"),
    ("https://taxii.example:8443/t/", "http://taxii.example/r/", "another port, 80 instead of 8443"),
    ("http://127.0.0.1:8480/t/", "http://127.0.0.1:8481/r/", "another port, 8481 instead of 8480"),
    ("http://127.0.0.1/t/", "http://localhost/r/", "another host, localhost instead of 127.0.0.1"),
    ("https://taxii.example/t/", "ftp://taxii.example/r/", "an address of ftp instead of https"),
    ("https://taxii.example/t/", "file:///etc/passwd", "an address of file instead of https"),
]


@pytest.mark.parametrize(("ours", "named", "asked"), SAME)
def test_the_same_host_in_another_spelling_is_the_same_host_and_asked_by_https_where_either_is(
    ours: str, named: str, asked: str
) -> None:
    assert on_same_server(httpx.URL(ours), httpx.URL(named)) == httpx.URL(asked)


@pytest.mark.parametrize(("ours", "named", "what"), OTHERS)
def test_another_host_or_port_is_another_server_and_it_is_said_what_differs(ours: str, named: str, what: str) -> None:
    assert on_same_server(httpx.URL(ours), httpx.URL(named)) is None
    assert difference(httpx.URL(ours), httpx.URL(named)).startswith(what)


def test_a_root_is_read_at_the_host_that_was_asked_however_the_server_spells_it(server: SmallTaxii) -> None:
    server.add(1, 2, 3)
    sample = json.loads((REAL_LIFE / "taxii-same-host.json").read_text())
    assert "LOCALHOST" in sample["answer"]["api_roots"][0]
    port = server.server.url.rpartition(":")[2]
    for root in (f"http://LOCALHOST:{port}/root/", f"http://localhost.:{port}/root", "/root/", "../root/"):
        server.root = root
        assert len(run(server, url=f"http://localhost:{port}/taxii2/")) == 3


def test_a_root_that_calls_itself_http_behind_https_is_read_by_https_with_its_certificate_checked(
    tmp_path: Path,
) -> None:
    authority = Authority.make(tmp_path)
    key, chain = authority.issue("taxii")
    files = tmp_path / "key.pem", tmp_path / "chain.pem"
    for path, content in zip(files, (key, chain), strict=True):
        path.write_bytes(content)
    small = SmallTaxii(tls=files)
    small.add(1, 2, 3)
    small.root = small.server.url.replace("https:", "http:") + "/root/"
    assert len(run(small, ca_file=str(authority.ca_file))) == 3
    assert len(run(small, verify_tls=False)) == 3
    told = failure(small)
    assert (told.code, told.way_out) == ("taxii.tls", "Set ca_file.")
    told = failure(small, url=small.url.replace("https", "http"))
    assert (told.code, told.says.endswith(" speaks TLS."), told.way_out) == ("taxii.scheme", True, "Write https://.")
    small.stop()


def test_https_to_a_server_of_plain_http_is_told(server: SmallTaxii) -> None:
    told = failure(server, url=server.url.replace("http:", "https:"))
    assert (told.code, told.says.endswith(" speaks plain HTTP.")) == ("taxii.scheme", True)
    assert told.way_out == "Write http:// if that is meant."


def test_a_root_elsewhere_is_refused_and_never_asked(server: SmallTaxii) -> None:
    asked: list[str] = []
    other = Server(Starlette(routes=[Route("/{path:path}", _telling(asked, Response("{}")))]))
    server.root = f"{other.url}/root/"
    told = failure(server, token="secret")
    assert told.code == "taxii.other-host"
    assert "another port" in told.says
    assert asked == []
    other.stop()


def _telling(asked: list[str], answer: Response) -> Callable[[Request], Any]:
    async def told(request: Request) -> Response:
        asked.append(str(request.url))
        return answer

    return told


def test_a_redirect_to_another_port_is_not_followed_and_nothing_of_it_is_published(server: SmallTaxii) -> None:
    asked: list[str] = []
    envelope = page(b'{"objects":[{"type":"indicator","id":"indicator--evil"}]}')
    other = Server(Starlette(routes=[Route("/{path:path}", _telling(asked, envelope))]))
    server.answers.append(RedirectResponse(f"{other.url}/objects/", 302))
    assert failure(server).code == "taxii.other-host"
    assert asked == []
    other.stop()


def test_a_redirect_on_the_same_server_is_followed_with_our_credentials(server: SmallTaxii) -> None:
    server.add(1, 2)
    server.discovery = RedirectResponse("/root/", 308)
    assert len(run(server, token="t")) == 2


def test_redirects_without_end_are_given_up(server: SmallTaxii) -> None:
    server.discovery = RedirectResponse("/taxii2/", 302)
    assert "redirects without end" in failure(server).says


def test_a_redirect_to_a_login_elsewhere_is_named_as_such(server: SmallTaxii) -> None:
    server.discovery = RedirectResponse("https://sso.example/saml/login?back=x", 302)
    told = failure(server)
    assert told.code == "taxii.other-host"
    assert "sso.example" in told.says
    assert "login page" in told.way_out


@pytest.mark.parametrize("where", ["discovery", "objects"])
def test_a_login_page_instead_of_taxii_is_named_as_such(server: SmallTaxii, where: str) -> None:
    login = Response("<html><title>Portal</title><form><input type=password></form></html>", media_type="text/html")
    if where == "discovery":
        server.discovery = login
    else:
        server.answers.append(login)
    told = failure(server)
    assert told.code == "taxii.login-page"
    assert 'a web page that asks for a login ("Portal"), not with TAXII' in told.says


def test_a_password_in_the_address_is_refused_before_it_can_be_shown() -> None:
    with pytest.raises(Exception, match="CTIHUB_TAXII_PASSWORD"):
        make("taxii", {"url": "https://me:secret@taxii.example/"})


# ---------------------------------------------------------------- pages


HOSTILE = {
    "endless lists": b'{"objects":' + b"[" * 200_000,
    "endless lists in an object": b'{"objects":[{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}",
    "endless objects around": b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    "cut": b'{"more":false,"objects":[{"type":"indicator","id":"indicator--1"}',
    "cut in a string": b'{"objects":[{"type":"indicator","id":"indicator',
    "brackets that do not fit": b'{"objects":[{"id":"indicator--1"]}]}',
    "more after its end": b'{"objects":[{"id":"indicator--1"}]}}',
    "not JSON around": b'{"more":maybe,"objects":[{"id":"indicator--1"}]}',
    "too much around": b'{"a":"' + b"x" * (2 << 20) + b'","objects":[]}',
    "a cursor like a novel": b'{"more":true,"next":"' + b"x" * 10_000 + b'","objects":[]}',
    "a cursor that is an object": b'{"more":true,"next":{},"objects":[]}',
    "objects that are none": b'{"objects":"none"}',
    "packed, and cut": gzip.compress(b'{"objects":[{"id":"indicator--1"}]}' * 99)[:-9],
}
ENDS_TOO_SOON = {"cut", "cut in a string", "packed, and cut"}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_unreadable_page_is_told_and_the_next_round_gets_what_it_did_not_give(
    server: SmallTaxii, tmp_path: Path, name: str
) -> None:
    server.add(1, 2, 3, 4, 5)
    checkpoints = CheckpointFile(tmp_path / "state", connector="taxii")
    body = HOSTILE[name]
    headers = {"Content-Encoding": "gzip"} if name.startswith("packed") else {}
    first = page(b'{"more":true,"next":"after ","objects":[{"type":"indicator","id":"indicator--0"}]}')
    server.answers.extend([first, page(body, **headers)])
    kept = Kept()
    connector = make("taxii", {"url": server.url, "collections": "first"})
    with pytest.raises(SourceFailed) as raised:
        Runner(connector, kept, checkpoints).run()
    assert raised.value.code == "taxii.unreadable"
    assert ("ends in the middle" in raised.value.says) == (name in ENDS_TOO_SOON)
    assert [json.loads(one)["id"] for one in kept.bodies] == ["indicator--0"]
    assert len(run(server, checkpoints)) == 5


def test_a_page_of_countless_objects_is_refused_in_bounded_memory(
    server: SmallTaxii, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envelope_module, "OBJECTS_MOST", 50_000)
    packed = gzip.compress(b'{"objects":[' + b"{}," * 51_000 + b"{}]}")
    server.answers.append(page(packed, **{"Content-Encoding": "gzip"}))
    tracemalloc.start()
    told = failure(server)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "more than 50,000 objects" in told.says
    assert peak < 3 << 20


def test_a_page_that_unpacks_to_more_than_a_page_is_refused(
    server: SmallTaxii, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "ANSWER_BYTES", 8 << 20)
    packed = gzip.compress(b'{"objects":[{"id":"' + b"x" * (9 << 20) + b'"}]}')
    server.answers.append(page(packed, **{"Content-Encoding": "gzip"}))
    assert failure(server).code == "taxii.too-large"


def test_a_large_page_is_read_in_memory_that_does_not_grow_with_it(server: SmallTaxii) -> None:
    one = json.dumps({"type": "indicator", "id": "indicator--1", "description": "x" * 2_000}).encode()
    server.answers.append(page(b'{"objects":[' + b",".join([one] * 20_000) + b"]}"))  # 40 MB
    connector = make("taxii", {"url": server.url, "collections": "first"})
    tracemalloc.start()
    count = sum(1 for _ in connector.items({}))
    peak = tracemalloc.get_traced_memory()[1] - tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 120 << 20, "the server of this test holds the page as well"


@pytest.mark.parametrize("habit", ["drip"])
def test_a_page_has_a_deadline_in_all_not_for_each_read(server: SmallTaxii, habit: str) -> None:
    server.habits.add(habit)
    with pytest.raises(TryLater, match=r"took more than 0\.5 s for one answer") as raised:
        run(server, answer_seconds=0.5, patience_s=0.0)
    assert raised.value.code == "taxii.too-slow"


def test_a_head_that_never_ends_has_the_same_deadline() -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        connector = make(
            "taxii", {"url": f"http://127.0.0.1:{listener.getsockname()[1]}/taxii2/", "answer_seconds": 0.5}
        )
        connector.patience_s = 0.0
        with pytest.raises(TryLater, match="took more than"):
            list(connector.items({}))
        stop.set()
        thread.join(WITHIN_S)


@pytest.mark.parametrize("retry_after", ["1e308", "-1", "nan", "inf", "Fri, 31 Dec 9999 23:59:59 GMT", "soon"])
def test_patience_goes_before_what_the_server_asks_for(server: SmallTaxii, retry_after: str) -> None:
    server.retry_after = retry_after
    server.plan.extend([503] * 1_000)
    with pytest.raises(TryLater, match="answered 503"):
        run(server, patience_s=0.5)
    assert len(server.plan) > 900


def test_ever_new_cursors_without_objects_come_to_an_end(server: SmallTaxii, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "EMPTY_PAGES", 40)
    server.habits.add("ever-more")
    told = failure(server)
    assert told.code == "taxii.loop"
    assert "pages in a row without an object" in told.says
    assert len(server.requests) == reader_module.EMPTY_PAGES


def test_some_pages_without_objects_are_passed(server: SmallTaxii) -> None:
    server.add(1, 2, 3)
    for number in range(20):
        server.answers.append(page(b'{"more":true,"next":"%d","objects":[]}' % number))
    server.answers.append(page(b'{"more":true,"next":"after "}'))
    assert len(run(server)) == 3


@pytest.mark.parametrize(
    "date", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:60Z", "\x80", ""]
)
def test_a_date_that_is_none_does_not_end_a_round(server: SmallTaxii, date: str) -> None:
    body = b'{"more":false,"objects":[{"type":"indicator","id":"indicator--1"}]}'
    server.answers.append(page(body, **{"X-TAXII-Date-Added-Last": date}))
    assert len(run(server)) == 1


# ---------------------------------------------------------------- bundles


def test_bundles_in_an_envelope_are_taken_apart_and_none_is_passed(server: SmallTaxii, tmp_path: Path) -> None:
    envelope = (REAL_LIFE / "bundles-in-bundles.envelope.json").read_bytes()
    server.answers.append(page(envelope, **{"X-TAXII-Date-Added-Last": "2026-01-01T00:00:09Z"}))
    found = [json.loads(one) for one in run(server)]
    assert [one["type"] for one in found] == ["indicator", "indicator"]
    assert [one["id"][-3:] for one in found] == ["111", "112"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_page_in_another_encoding_or_with_a_mark_is_read(server: SmallTaxii, encoding: str) -> None:
    text = '{"objects":[{"type":"indicator","id":"indicator--1"}]}'
    server.answers.append(page(text.encode(encoding)))
    assert run(server) == [b'{"type":"indicator","id":"indicator--1"}']


def test_a_bundle_instead_of_an_envelope_hands_down_its_version(server: SmallTaxii) -> None:
    server.answers.append(page(b'{"type":"bundle","objects":[{"id":"x--1"}],"spec_version":"2.0","id":"bundle--1"}'))
    assert [json.loads(one)["spec_version"] for one in run(server)] == ["2.0"]


def test_a_collection_that_fails_does_not_keep_the_others_from_the_hub(server: SmallTaxii, tmp_path: Path) -> None:
    server.add(1, 2)
    server.objects["22222222-2222-4222-8222-222222222222"] = list(server.objects.pop(next(iter(server.objects))))
    server.objects = {"11111111-1111-4111-8111-111111111111": [], **server.objects}
    server.plan.append(403)
    kept = Kept()
    with pytest.raises(SourceFailed, match="403"):
        Runner(make("taxii", {"url": server.url}), kept).run()
    assert len(kept.bodies) == 2


# ---------------------------------------------------------------- the scanner

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.just("objects"), inner, max_size=4),
    max_leaves=12,
)


@given(
    around=st.dictionaries(st.text().filter(lambda name: name != "objects"), json_values, max_size=4),
    objects=st.lists(json_values, max_size=5),
    at=st.integers(0, 5),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    indent=st.booleans(),
)
def test_an_envelope_comes_apart_wherever_its_bytes_are_cut(
    around: dict[str, Any], objects: list[Any], at: int, cuts: list[int], indent: bool
) -> None:
    members = list(around.items())
    members.insert(at, ("objects", objects))
    body = json.dumps(dict(members), indent=1 if indent else None, ensure_ascii=indent).encode("utf-8", "replace")
    scanner = EnvelopeScanner()
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    inside = b"".join(scanner.feed(body[start:end]) for start, end in pairwise(places))
    assert json.loads(b"[" + inside.strip().removesuffix(b",") + b"]") == json.loads(body)["objects"]
    assert scanner.close() == {**orjson.loads(body), "objects": []}
    assert len(objects) <= scanner.objects <= 2 * len(objects), "what is no object may be counted once too often"


@given(st.binary(max_size=200) | st.text('{}[]",:\\ objects0').map(str.encode), st.integers(1, 7))
def test_any_bytes_give_an_envelope_or_a_reason(body: bytes, step: int) -> None:
    scanner = EnvelopeScanner()
    with suppress(EnvelopeError):
        for at in range(0, len(body), step):
            scanner.feed(body[at : at + step])
        assert isinstance(scanner.close(), dict)


def test_nesting_is_bounded_and_strings_do_not_count() -> None:
    deep = b"[" * (NESTING - 3) + b"]" * (NESTING - 3)
    scanner = EnvelopeScanner()
    scanner.feed(b'{"objects":[{"a":' + deep + b',"b":"' + b"[{" * 1_000 + b'"}]}')
    assert scanner.close() == {"objects": []}
