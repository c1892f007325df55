"""The values of the policy: shows and sets them by key."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from hub.model.errors import WrongUsage
from hub.model.lifecycle import ANY_KIND
from hub.model.policy_changes import SettingChanged
from hub.model.policy_keys import KEYS, FoundKey, PolicyKey, Settings, find_key
from hub.registry import names
from hub.registry.context import RegistryContext

DEFAULT = "default"
"""Stands for the default of any key."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of one key."""

    key: str
    value: str
    default: str
    help: str
    is_set: bool
    """Whether an operator has set it."""


class PolicySettings:
    """Operations on the values of the policy."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def all(self) -> list[Setting]:
        """Returns the values of all keys; of keys for each kind those that are set, and one row for all others."""
        settings = (await self._context.snapshot()).settings
        found = []
        for key in KEYS:
            if key.by_kind:
                kinds = sorted(each for each in settings if each.startswith(f"{key.name}."))
                found += [_setting(key, each, settings) for each in kinds]
            found.append(_setting(key, key.pattern, settings))
        return found

    async def set(self, said: str, value: str) -> tuple[Setting, Setting]:
        """Set a value; ``default`` sets the default. Returns it as it was and as it is. Raises WrongUsage, TryAgain."""
        named = _find(said)
        text = _checked(said, named.key, value.strip())
        async with self._context.change() as change:
            before = _setting(named.key, said, change.before.settings)
            after = Setting(said, text or before.default, before.default, before.help, text is not None)
            if before.is_set != after.is_set or before.value != after.value:
                await change.directory.set_setting(said, text)
                await change.record(SettingChanged(said, text))
        return before, after


def _setting(key: PolicyKey, name: str, settings: Settings) -> Setting:
    default = key.format.write(key.default)
    return Setting(name, settings.get(name, default), default, key.help, name in settings)


def _find(said: str) -> FoundKey:
    named = find_key(said)
    if named is None:
        known = [key.pattern for key in KEYS]
        near = get_close_matches(said, known, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise WrongUsage("policy.unknown-key", f"There is no key {said!r}.", f"{hint}The keys are {', '.join(known)}.")
    if named.kind is not None and named.kind != ANY_KIND:
        names.observable_kind(named.kind)
    return named


def _checked(said: str, key: PolicyKey, value: str) -> str | None:
    """The value as it is stored; None for the default."""
    if value == DEFAULT:
        return None
    try:
        found = key.format.read(value)
    except ValueError:
        raise WrongUsage("policy.value", f"{value!r} is no value of {said}.", key.format.syntax) from None
    return None if key.by_kind and found == key.default else key.format.write(found)
