"""Values, kinds, dates and levels as people write them: read right, or told."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.csv.dates import UnreadableDateError, read_date
from connectors.csv.kinds import KINDS, read_kind
from connectors.csv.levels import TLP_IDS, UnreadableLevelError, is_level_tag, read_level, strictest
from connectors.csv.values import read_cell, without_secrets
from tests.connectors.csv_feeds import Read, a_mapping, read_text


def values(text: str, kind: str = "detect") -> list[str]:
    return [value for _, value in read_cell(text, kind)[0]]


# Kinds


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("IP|ip address|IPv4|IPv6|IPv4-Addr|ipv6-addr:value|ip-dst|ip-src|ip:port|CIDR|Intel::ADDR", "ip"),
        ("domain|Domain Name|domain-name:value|hostname|FQDN|Domain-Name|Intel::DOMAIN|Domains|HOST", "domain-name"),
        ("URL|uri|link|url:value|Url|URLs|Intel::URL", "url"),
        ("email|E-Mail|e-mail address|email-src|email-addr:value|Email-Addr|Intel::EMAIL", "email-addr"),
        ("hash|File Hash|FileHash|StixFile|Intel::FILE_HASH|hashes", "hash"),
        ("MD5|md5_hash|FileHash-MD5|MD5 Hash|file:hashes.MD5|file:hashes.'MD5'|malware-sample", "MD5"),
        ("SHA1|sha-1|sha1_hash|FileHash-SHA1|file:hashes.'SHA-1'|SHA1 hash", "SHA-1"),
        ("SHA256|SHA-256|sha256_hash|FileHash-SHA256|file:hashes.'SHA-256'|SHA256 Hash", "SHA-256"),
        ("sha512|SHA-512|file:hashes.'SHA-512'", "SHA-512"),
    ],
)  # fmt: skip
def test_the_usual_words_for_kinds_are_known_however_they_are_spelt(words: str, kind: str) -> None:
    for word in words.split("|"):
        for spelling in (word, word.upper(), word.lower(), word.replace(" ", "_"), word.replace("-", " ")):
            parts = read_kind(spelling, {})
            assert parts is not None, spelling
            assert [part for part in parts if part] == [kind], spelling


@pytest.mark.parametrize(
    "word", ["YARA", "CVE", "mutex", "regkey|value", "port", "ssdeep", "imphash", "x509", "|", "domain|"]
)
def test_what_names_no_observable_is_no_kind(word: str) -> None:
    assert read_kind(word, {}) is None


def test_a_mapping_s_own_words_come_first() -> None:
    assert read_kind("C2 Host", {"c2-host": "domain-name", "ip": "url"}) == ("domain-name",)
    assert read_kind("IP", {"c2-host": "domain-name", "ip": "url"}) == ("url",)


def test_composites_are_their_parts(tmp_path: Path) -> None:
    digest = "58a2fc6ed39fd083f55d4182bf88826d"
    rows = [
        "domain|ip,a.example|198.51.100.1",
        f"filename|md5,odd|name.exe|{digest}",
        "ip-src|port,198.51.100.2|443",
        "hostname|port,b.example|8443",
        "ip-dst|port,198.51.100.3:443",
        "domain|ip,c.example",
    ]
    read = read_text(tmp_path, "type,value,to_ids\n" + "".join(f"{row},1\n" for row in rows), "misp")
    assert read.values == [
        "a.example", "198.51.100.1", digest, "198.51.100.2", "b.example", "198.51.100.3", "c.example",
    ]  # fmt: skip


# Values


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_a_netmask_is_a_prefix(address: object, prefix: int) -> None:
    mask = ".".join(str((0xFFFFFFFF << (32 - prefix) & 0xFFFFFFFF) >> shift & 255) for shift in (24, 16, 8, 0))
    for text in (f"{address}/{mask}", f"{address} / {mask}", f"{address} {mask}"):
        assert read_cell(text, "ip") == ([("ipv4-addr", f"{address}/{prefix}")], [])


@given(st.integers(0, 255), st.integers(0, 255))
def test_a_short_range_is_the_long_one(first: int, last: int) -> None:
    for kind in ("ip", "detect"):
        short = read_cell(f"198.51.100.{first}-{last}", kind)
        assert short == read_cell(f"198.51.100.{first} - 198.51.100.{last}", kind)
        assert bool(short[0]) == (first <= last)
        assert {kind for kind, _ in short[0]} <= {"ipv4-addr"}


@pytest.mark.parametrize(
    "text",
    ["invoice.exe", "setup-2.dll", "a.b.pdf", "archive.zip", "film.mov", "x.212-215", "198.51.100.212-", "10,20,30,40",
     "host.corp", "version.1", "not bad.example", "http://a.example/x and more", "@import url(x)", "a..example",
     "198.51.100.1/024"],
)  # fmt: skip
def test_who_has_to_guess_takes_none_of_these_for_a_value(text: str) -> None:
    assert values(text) == []


@pytest.mark.parametrize(
    "text", ["a.example", "b.com", "c.co.uk", "bücher.de", "xn--bcher-kva.example", "x.onion", "п.рф"]
)
def test_a_name_under_a_top_level_domain_is_one(text: str) -> None:
    assert read_cell(text, "detect") == ([("domain-name", text)], [])


@pytest.mark.parametrize("name", ["archive.zip", "film.mov"])
def test_of_names_that_files_have_as_well_the_kind_that_is_stated_counts(name: str) -> None:
    assert read_cell(name, "domain-name") == ([("domain-name", name)], [])


SINGLE = st.sampled_from(
    ["198.51.100.1", "2001:db8::1", "a.example", "b.example.", "x@c.example", "0" * 32, "203.0.113.0/24"]
)


@given(
    st.lists(SINGLE, min_size=2, max_size=5, unique=True),
    st.sampled_from([" ", "\n", ", ", ";", "; ", ",", "\t", "\r\n"]),
)
def test_several_values_in_a_cell_are_each_one(parts: list[str], between: str) -> None:
    mails = {"@" in part for part in parts}
    found = values(between.join(parts))
    if len(mails) == 1 and "0" * 32 not in parts:
        assert found == parts
    assert set(found) <= set(parts)


def test_several_urls_in_a_cell_are_each_one() -> None:
    for between in (" ", ",", "\n", "; ", "|"):
        text = between.join(["http://a.example/x?y=1,2;3", "hxxps://b[.]example/", "http://c.example"])
        assert values(text) == values(text, "url") == [
            "http://a.example/x?y=1,2;3", "https://b.example/", "http://c.example",
        ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ['["a.example", "198.51.100.1"]', "['a.example','198.51.100.1']", "a.example, 198.51.100.1,"]
)
def test_a_list_in_one_line_is_a_list(tmp_path: Path, text: str) -> None:
    assert read_text(tmp_path, text, "list", name="list.txt").values == ["a.example", "198.51.100.1"]


def test_a_list_as_json_prints_it_is_a_list(tmp_path: Path) -> None:
    text = json.dumps(["a.example", "198.51.100.1", "http://b.example/x,y"], indent=1)
    read = read_text(tmp_path, text, "list", name="list.txt")
    assert (read.values, read.counts) == (["a.example", "198.51.100.1", "http://b.example/x,y"], {})


def test_a_mapping_can_say_what_is_between_values(tmp_path: Path) -> None:
    layout = 'feed="x"\n[file]\nheader="row"\n[[value]]\ncolumn="u"\nkind="url"\nseparator="|"\n'
    read = read_text(tmp_path, 'u\n"http://a.example/b c|nothing|http://a.example/,d"\n', a_mapping(tmp_path, layout))
    assert read.values == ["http://a.example/b c", "http://a.example/,d"]
    assert read.counts == {"not a value of the kind url": 1}


@pytest.mark.parametrize("after", [";dropper.exe", "  evil.com", " *setup.exe", ",x", "\tremark", " | 5/70"])
def test_what_follows_a_digest_is_a_remark(after: str) -> None:
    digest = "58a2fc6ed39fd083f55d4182bf88826d"
    for kind in ("detect", "hash", "MD5"):
        assert values(digest + after, kind) == [digest]


def test_hosts_files_and_blocklists_are_read_with_all_aliases(tmp_path: Path) -> None:
    text = (
        "127.0.0.1 localhost localhost.localdomain\n::1 ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\n"
        "255.255.255.255 broadcasthost\n0.0.0.0 0.0.0.0\n0.0.0.0 a.example b.example # two\n127.0.1.1\tc.example\n"
        "||d.example^$third-party\n@@||good.example^\n198.51.100.1;C2 of x\n198.51.100.2\tC2\n"
    )
    read = read_text(tmp_path, text, "list", name="hosts.txt")
    assert read.values == ["a.example", "b.example", "c.example", "d.example", "198.51.100.1", "198.51.100.2"]
    assert read.counts == {"an exception of a blocklist": 1}


# Credentials

WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=16).map(
    lambda text: f"SECRET{text}"
)


@given(
    secret=WORD, between=st.sampled_from([":", ";", "|", ",", " ", "\t", " : "]), kind=st.sampled_from(sorted(KINDS))
)
def test_no_password_is_part_of_a_value(secret: str, between: str, kind: str) -> None:
    found, _ = read_cell(f"user@mail.example{between}{secret}", kind)
    assert [value for _, value in found] in ([], ["user@mail.example"])


@pytest.mark.parametrize("between", [":", ";", "|"])
def test_no_password_leaves_the_connector(tmp_path: Path, between: str) -> None:
    lines = [f"https://shop.example/{between}admin{between}hunter2"]
    lines += [f"user{n}@mail.example{between}hunter2{n}" for n in range(3)]
    lines += [
        f"https://shop.example/login{between}user@mail.example{between}hunter2",
        "u@mail.example:hunter2 x:hunter2",
    ]
    read = read_text(tmp_path, "\n".join(lines), "list", name="dump.txt")
    assert "hunter2" not in json.dumps([read.found, [one.first for one in read.left_out.values()], read.warnings])
    assert read.values[:3] == ["user0@mail.example", "user1@mail.example", "user2@mail.example"]


def test_a_shown_piece_has_no_password_in_it() -> None:
    assert (
        without_secrets("https://u:hunter2@x.example/ a@b.example|hunter 2") == "https://u:…@x.example/ a@b.example|…"
    )
    assert without_secrets("https://bank.example/|user|hunter2") == "https://bank.example/|user|…"
    assert without_secrets("http://a.example:8080/x,url,TLP:RED") == "http://a.example:8080/x,url,TLP:RED"


@pytest.mark.parametrize("piece", [" ", "[ ", "-", "a:", ";", "a.", "|", "http://a", "'", "x@", "::", "{", "#", "\t"])
@pytest.mark.parametrize("kind", ["detect", "url", "ip"])
def test_no_cell_takes_for_ever(piece: str, kind: str) -> None:
    for text in (f"http://a.example/{piece * 20_000}/ [x", f"a{piece * 20_000}b c"):
        read_cell(text, kind)


# Dates


@given(
    st.datetimes(datetime(1990, 1, 2), datetime(2100, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_a_moment_is_the_same_in_every_form(naive: datetime, ahead: int) -> None:
    moment = naive.replace(tzinfo=UTC, microsecond=0)
    local = moment.astimezone(timezone(timedelta(minutes=ahead)))
    millis = moment.replace(microsecond=123_000)
    for text in (
        moment.isoformat(),
        local.isoformat(),
        f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        f"{moment:%Y-%m-%dT%H:%M:%S}Z",
        f"{moment:%Y-%m-%d %H:%M:%S} (UTC)",
        f"{moment:%d.%m.%Y %H:%M:%S}",
        f"{moment:%Y/%m/%d %H:%M:%S}",
        f"{moment:%d-%b-%Y %H:%M:%S}",
        f"{moment:%a, %d %b %Y %H:%M:%S} GMT",
        f"{moment:%B} {moment.day}, {moment.year} {moment:%H:%M:%S}",
        f"{moment:%a %b %d %H:%M:%S %Y}",
        f"{moment:%d %b %Y %I:%M:%S %p}",
        f"{moment:%Y%m%d%H%M%S}",
        str(int(moment.timestamp())).zfill(9),
    ):
        assert read_date(text) == moment, text
    stamp = int(moment.timestamp()) * 1000 + 123
    assert read_date(str(stamp)) == millis
    assert read_date(f"{moment:%Y-%m-%dT%H:%M:%S}.1230000000Z") == millis


@given(st.dates(datetime(1990, 1, 2).date(), datetime(2100, 1, 1).date()))  # noqa: DTZ001
def test_days_and_months_as_numbers_are_read_where_only_one_order_is_possible(day: object) -> None:
    for text in (f"{day:%d/%m/%Y}", f"{day:%m/%d/%Y}", f"{day:%d-%m-%Y}"):
        try:
            found = read_date(text)
        except UnreadableDateError:
            assert f"{day:%d}" <= "12"
        else:
            assert found.date() == day


@pytest.mark.parametrize(
    "text",
    ["", "never", "0", "0000-00-00 00:00:00", "03/04/2026", "1970-01-01", "1985-05-05", "2026", "46000",
     "99999999999999", "2026-10-28 04:54 CET", "31.02.2026", "12345678901234567890123", "-1761627244", "tomorrow"],
)  # fmt: skip
def test_what_may_mean_two_moments_or_none_is_no_date(text: str) -> None:
    with pytest.raises(UnreadableDateError):
        read_date(text)


def test_a_mapping_can_name_the_form_of_its_dates() -> None:
    assert read_date("03/04/2026", ("%m/%d/%Y",)) == datetime(2026, 3, 4, tzinfo=UTC)
    assert read_date("2026-10-28", ("%m/%d/%Y",)) == datetime(2026, 10, 28, tzinfo=UTC)


def dated(tmp_path: Path, rows: str, more: str = "") -> Read:
    layout = 'feed="x"\n[file]\nheader="row"\n[[value]]\ncolumn="v"\nkind="ip"\n[indicator]\nfirst_seen=["first"]\n'
    return read_text(tmp_path, "v,first,end\n" + rows, a_mapping(tmp_path, f'{layout}valid_until=["end"]\n{more}'))


@pytest.mark.parametrize("end", ["never", "03/04/2027", "9999-12-31", "0", "unlimited", "31/12/26"])
def test_an_end_that_cannot_be_read_is_told_and_bounded(tmp_path: Path, end: str) -> None:
    read = dated(tmp_path, f"198.51.100.1,2026-01-01,{end}\n")
    assert read.found[0]["valid_until"] == "2026-01-31T00:00:00.000Z"
    assert {reason: one.first for reason, one in read.left_out.items()} == {
        "an end that cannot be read (valid for 30 days instead)": f"line 2: 198.51.100.1,2026-01-01,{end}"
    }
    read = dated(tmp_path, f"198.51.100.1,2026-01-01,{end}\n", "valid_days=5\n")
    assert read.found[0]["valid_until"] == "2026-01-06T00:00:00.000Z"


def test_what_is_over_ends_when_it_says(tmp_path: Path) -> None:
    for row in ("198.51.100.1,,2025-06-01", "198.51.100.1,2025-06-02,2025-06-01"):
        one = dated(tmp_path, row).found[0]
        assert one["valid_until"] == "2025-06-01T00:00:00.000Z"
        assert one["valid_from"] == "2025-05-31T23:59:59.999Z"


def test_a_date_that_cannot_be_meant_is_told_with_its_first_line(tmp_path: Path) -> None:
    rows = "".join(
        f"198.51.100.{n},{text},\n" for n, text in enumerate(["2026-01-02", "03/04/2026", "1970-01-01", "2999-01-01"])
    )
    read = dated(tmp_path, rows)
    assert len(read.found) == 4
    assert {reason: one.first[:7] for reason, one in read.left_out.items()} == {
        "a date that may be day first or month first": "line 3:",
        "a date before 1990": "line 4:",
        "a date far ahead": "line 5:",
    }


# Levels


@pytest.mark.parametrize(
    ("text", "level"),
    [("TLP:RED", "red"), ("red", "red"), (" tlp amber + strict ", "amber+strict"), ("TLP:AMBER_STRICT", "amber+strict"),
     ("TLP-WHITE", "clear"), ("Clear", "clear"), ("TLP:GREEN, TLP:RED", "red"), ("TLP:AMBER; PAP:RED", "amber"),
     ("tlp:amber|tlp:clear", "amber"), ("PAP:RED", None)],
)  # fmt: skip
def test_levels_are_read_in_the_usual_spellings(text: str, level: str | None) -> None:
    assert read_level(text, {})[0] == level


OTHERS = st.text(max_size=20).filter(lambda text: not re.search("clear|white|green|amber|red", text, re.IGNORECASE))


@given(OTHERS)
def test_no_other_text_is_a_level(text: str) -> None:
    try:
        level, _ = read_level(text, {})
    except UnreadableLevelError:
        return
    assert level is None


@given(st.lists(st.sampled_from(sorted(TLP_IDS)), min_size=1))
def test_the_strictest_level_counts(levels: list[str]) -> None:
    order = ["clear", "green", "amber", "amber+strict", "red"]
    assert strictest(levels) == order[max(map(order.index, levels))]


@pytest.mark.parametrize(
    ("header", "row", "level"),
    [
        ("Indicator,Tags", '198.51.100.1,"malware,tlp:red"', "red"),
        ("Indicator,TLP,Tags", "198.51.100.1,green,tlp:amber; apt", "amber"),
        ("Indicator,Classification", "198.51.100.1,TLP:RED", "red"),
        ("Indicator,TLP,TLP", "198.51.100.1,green,red", "red"),
        ("Indicator,TLP level", "198.51.100.1,red", "red"),
        ("Indicator,TLP,TLP-Stufe", "198.51.100.1,clear,red", "red"),
        ("Indicator,Marking", '198.51.100.1,"TLP:AMBER+STRICT, PAP:RED"', "amber+strict"),
        ("Indicator,Tags", '198.51.100.1,"[""osint"", ""tlp:red""]"', "red"),
        ("Indicator,Tags", "198.51.100.1,\"['osint', 'tlp:red']\"", "red"),
        ("Indicator,Tags", '198.51.100.1,"[{""name"": ""tlp:red""}]"', "red"),
        ("Indicator,Tags", "198.51.100.1,tlp:red | osint", "red"),
        ("Indicator,Tags", "198.51.100.1,osint apt tlp:red botnet", "red"),
        ("Indicator,Tags", "198.51.100.1,'tlp=\"red\"'", "red"),
        ("Indicator,Handling", "198.51.100.1,[TLP:RED] internal", "red"),
        ("Indicator,Handling", "198.51.100.1,TLP:RED - not to be passed on", "red"),
        ("Indicator,TLP,Sensitivity (TLP)", "198.51.100.1,green,red", "red"),
        ("Indicator,TLP,Marking", "198.51.100.1,green,amber", "amber"),
        ("Indicator,TLP,TLP comment", "198.51.100.1,green,as agreed", "green"),
        ("Indicator,Comment", "198.51.100.1,was TLP:RED until last week", None),
        ("Indicator,Comment", "198.51.100.1,see the report [TLP:GREEN] of May - TLP:GREEN - for more", None),
    ],
)
def test_a_level_counts_in_whatever_column_it_stands(tmp_path: Path, header: str, row: str, level: str | None) -> None:
    assert read_text(tmp_path, f"{header}\n{row}\n").levels == {"198.51.100.1": level}


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("# TLP:RED\n198.51.100.1\n", ["red"]),
        ("# Marking: TLP:AMBER - not to be passed on\n198.51.100.1\n198.51.100.2 # TLP:RED\n", ["amber", "red"]),
        ("# TLP: see https://www.first.org/tlp/\n198.51.100.1\n", [None]),
        ("# TLP:CLEAR (https://www.first.org/tlp/)\n198.51.100.1\n", ["clear"]),
        ("198.51.100.1 # TLP:RED\n198.51.100.2\n", ["red", None]),
        ("# the TLP:GREEN list is elsewhere\n#198.51.100.3;TLP:RED\n198.51.100.1\n", [None]),
    ],
)
def test_a_remark_in_a_list_states_the_level_of_its_line_or_of_those_below(
    tmp_path: Path, text: str, levels: list[str | None]
) -> None:
    assert list(read_text(tmp_path, text, "list").levels.values()) == levels


def test_a_comment_above_a_table_states_the_level_of_its_rows(tmp_path: Path) -> None:
    text = "# TLP:AMBER\nIndicator,TLP\n198.51.100.1,\n198.51.100.2,green\n198.51.100.3,red\n"
    assert list(read_text(tmp_path, text).levels.values()) == ["amber", "amber", "red"]


def test_a_network_with_start_end_and_mask_is_one(tmp_path: Path) -> None:
    text = "203.0.113.0\t203.0.113.255\t24\t12\tEXAMPLE\tUS\ta@n.example\n198.51.100.0\t198.51.100.255\t24\t9\n"
    assert read_text(tmp_path, text, "list").values == ["203.0.113.0/24", "198.51.100.0/24"]


@pytest.mark.parametrize("text", ["tlp-report", "tlpower", "see tlp", ""])
def test_a_word_that_begins_alike_states_no_level(text: str) -> None:
    assert not is_level_tag(text)


@pytest.mark.parametrize(("said", "confidence"), [("high", 85), ("75 %", 75), ("0", 0), ("100", 100), ("", 60)])
def test_confidence_is_that_of_the_row(tmp_path: Path, said: str, confidence: int) -> None:
    assert scored(tmp_path, said).found[0]["confidence"] == confidence


@pytest.mark.parametrize("said", ["0.85", "150", "-3", "sure", "inf"])
def test_a_confidence_that_cannot_be_read_is_told_and_never_the_default(tmp_path: Path, said: str) -> None:
    read = scored(tmp_path, said)
    assert "confidence" not in read.found[0]
    assert read.counts == {"a confidence that is no number from 0 to 100": 1}


def scored(tmp_path: Path, said: str) -> Read:
    layout = 'feed="x"\n[file]\nheader="row"\n[[value]]\ncolumn="v"\nkind="ip"\n[indicator]\nconfidence=60\n'
    layout += 'confidence_column="c"\n'
    return read_text(tmp_path, f"v,c\n198.51.100.1,{said}\n", a_mapping(tmp_path, layout))
