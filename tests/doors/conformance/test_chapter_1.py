"""TAXII 2.1, section 1.6: serialization, media types, credentials."""

from __future__ import annotations

import pytest

from tests.doors.conformance.asking import NOWHERE, ROOT, TAXII, Full, resource
from tests.doors.hubs import basic

pytestmark = pytest.mark.asyncio(loop_scope="module")
REGISTERED = {"basic", "bearer"}
"""Those of our schemes that the IANA registry of HTTP authentication schemes has."""


async def test_every_answer_is_json_in_utf_8_without_a_name_twice(full: Full) -> None:
    hub, asked = full
    for path in (*asked.all, f"{ROOT}nowhere/", f"{ROOT}status/{NOWHERE}/"):
        answer = await hub.get(path, "soc")
        assert isinstance(resource(answer), dict), path
        assert not answer.content.startswith(b"\xef\xbb\xbf"), "RFC 8259, section 8.1: no byte order mark"


async def test_text_beyond_ascii_comes_as_it_was_sent(full: Full) -> None:
    hub, asked = full
    answer = await hub.get(f"{asked.objects}?match[type]=malware", "soc")
    assert resource(answer)["objects"][0]["name"] == "mälwäre 悪 😀"
    assert "mälwäre 悪 😀".encode() in answer.content


async def test_without_a_version_in_accept_the_answer_is_of_the_latest(full: Full) -> None:
    hub, asked = full
    for path in asked.all:
        answer = await hub.get(path, "soc", headers={"accept": "application/taxii+json"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, TAXII), path


@pytest.mark.parametrize("sent", ["nothing", "a wrong token", "a wrong name", "another scheme", "no base64"])
async def test_without_acceptable_credentials_every_endpoint_answers_401_with_challenges(full: Full, sent: str) -> None:
    hub, asked = full
    headers = {
        "nothing": {},
        "a wrong token": {"authorization": "Bearer wrong"},
        "a wrong name": basic("ro", hub.tokens["soc"]),
        "another scheme": {"authorization": "Digest username=soc"},
        "no base64": {"authorization": "Basic ~~~"},
    }[sent]
    requests = [("GET", path) for path in (*asked.all, f"{ROOT}status/{NOWHERE}/")]
    for method, path in (*requests, ("POST", asked.objects), ("DELETE", asked.one)):
        answer = await hub.http.request(method, path, headers={"accept": TAXII, "content-type": TAXII, **headers})
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"], (method, path)
        assert resource(answer)["http_status"] == "401"


async def test_each_challenge_is_of_a_scheme_that_is_registered(full: Full) -> None:
    said = (await full.hub.get("/taxii2/")).headers["www-authenticate"]
    schemes = [word.lower() for word in said.replace(",", " ").split() if "=" not in word]
    assert schemes == ["basic", "bearer"]
    assert set(schemes) <= REGISTERED
    assert said.count("realm=") == len(schemes)
