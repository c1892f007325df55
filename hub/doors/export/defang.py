"""``defang=1``: values that nobody can click by mistake, in formats for people. ``refang`` gives the value back."""

from __future__ import annotations

import re

from pydantic import Field

from hub.doors.export.entry import Entry
from hub.doors.export.format import Options

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


class ForPeople(Options):
    """The option of formats that people read."""

    defang: bool = Field(default=False, description="write values so that nobody can click on them")


def written_value(entry: Entry, options: ForPeople) -> str:
    """Returns the value of an entry as a list for people shows it."""
    return defanged(entry.type, entry.value) if options.defang else entry.value


def defanged(kind: str, value: str) -> str:
    """Returns a value in the usual defanged spelling; values of other kinds than those of networks unchanged.

    >>> defanged("url", "https://c2.example/a.b"), defanged("ipv4-addr", "198.51.100.7")
    ('hxxps[://]c2[.]example/a.b', '198[.]51[.]100[.]7')
    """
    match kind:
        case "ipv4-addr" | "domain-name":
            return value.replace(".", "[.]")
        case "ipv6-addr":
            return value.replace(":", "[:]")
        case "email-addr":
            return value.replace("@", "[@]").replace(".", "[.]")
        case "url" if (found := _URL.fullmatch(value)) is not None:
            scheme = {"http": "hxxp", "https": "hxxps", "ftp": "fxp"}.get(found["scheme"], found["scheme"])
            return f"{scheme}[://]{found['host'].replace('.', '[.]')}{found['rest']}"
        case _:
            return value
