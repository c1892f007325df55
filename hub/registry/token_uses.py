"""Notes in memory when tokens were last used or refused, so that authentication writes nothing.

``flush`` writes the notes to the store. A process that is killed loses those since the last time.
"""

from __future__ import annotations

from dataclasses import replace

from hub.model.tokens import TokenRefusal, TokenUse
from hub.registry.port import RegistryStore

FLUSH_EVERY_S = 1.0
"""How often a process writes its notes: that much is lost when it is killed."""
_NOTHING = TokenUse()


class TokenUses:
    """The notes of one process. Belongs to one event loop."""

    def __init__(self, store: RegistryStore) -> None:
        self._store = store
        self._used: dict[int, int] = {}
        self._refused: dict[int, tuple[int, TokenRefusal]] = {}

    def used(self, digest: int, now_us: int) -> None:
        """Note a use of a secret, by the number of its digest."""
        self._used[digest] = now_us

    def refused(self, digest: int, now_us: int, why: TokenRefusal) -> None:
        """Note that a secret was refused."""
        self._refused[digest] = now_us, why

    async def flush(self) -> None:
        """Write the notes; without any, nothing is done. When it fails they are kept. Raises TryAgain, Broken."""
        used, refused = self._used, self._refused
        if not used and not refused:
            return
        self._used, self._refused = {}, {}
        uses = {no: TokenUse(used_us) for no, used_us in used.items()}
        for no, (refused_us, why) in refused.items():
            uses[no] = replace(uses.get(no, _NOTHING), refused_us=refused_us, why=why)
        try:
            await self._store.note_uses(uses)
        except BaseException:
            self._used, self._refused = used | self._used, refused | self._refused
            raise
