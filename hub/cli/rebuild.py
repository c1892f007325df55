"""``ctihub rebuild``: repairs what ``ctihub verify`` finds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hub.cli.admin import AsJson, ConfigFile, configured
from hub.cli.client import print_json
from hub.cli.verify import CollectionOption, Processes, VerifyProgress, print_differences, row_of

if TYPE_CHECKING:
    from hub.config import Config
    from hub.verifying import Rebuilt


def command(
    collection: CollectionOption = None,
    processes: Processes = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Verify, and repair what differs through new versions, until nothing differs. Works on a running hub.

    A view that is right gets no version. It can be killed at any moment and started again. Exit code 1 if something
    cannot be repaired: a contribution with damaged content must be sent again by its centre.
    """
    import asyncio

    began = time.monotonic()
    done = asyncio.run(_rebuilt(configured(config), collection, processes, as_json=as_json))
    left = done.last.found.total()
    if as_json:
        print_json({"repaired": done.repaired, "beyond_repair": done.beyond, "left": row_of(done.last, _since(began))})
    else:
        print_differences(done.last)
        after = f"{left:,} differences are left." if left else "Nothing differs now."
        print(f"{done.repaired:,} differences repaired in {_since(began):,.1f} s. {after}")
    return 1 if left else 0


def _since(began: float) -> float:
    return time.monotonic() - began


async def _rebuilt(config: Config, collection: str | None, processes: int | None, *, as_json: bool) -> Rebuilt:
    from hub.verifying import opened_store, rebuilt

    async with opened_store(config) as store:
        with VerifyProgress("rebuild", quiet=as_json) as shown:
            return await rebuilt(config, store, collection, processes=processes, tell=shown.tell)
