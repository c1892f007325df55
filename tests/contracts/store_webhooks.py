"""What the store promises of webhooks, and of the lease of the process that delivers them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hub.model.principals import Principal, PrincipalKind
from hub.model.tokens import TokenDigest
from hub.model.webhooks import PauseReason, Webhook, WebhookFilter, WebhookProgress
from hub.model.words import Seq
from hub.model.writes import Writes
from hub.store.webhook_port import Lease
from tests.contracts.store_suite import StoreSuite
from tests.contracts.store_values import a_change, append, head_after


def a_webhook(name: str = "w", principal: int = 1, position: int = 0) -> Webhook:
    filtered = WebhookFilter(frozenset({"indicator"}), frozenset({"ipv4-addr"}), 50)
    progress = WebhookProgress(Seq(position))
    return Webhook(name, principal, 2, "community", "https://soc.example/", filtered, 7, progress)


class StoreWebhooks(StoreSuite):
    """One test per promise."""

    async def test_a_webhook_is_read_as_it_was_added(self) -> None:
        async with self.opened() as store:
            await store.webhooks.add(a_webhook(), most=5)
        async with self.opened() as store:
            assert await store.webhooks.all() == [a_webhook()]
            assert await store.webhooks.all(principal=2) == []
            assert await store.webhooks.remove("w")
            assert not await store.webhooks.remove("w")
            assert await store.webhooks.all() == []

    async def test_of_requests_at_once_no_more_are_added_than_there_is_room_for(self) -> None:
        async with self.opened() as one, self.opened() as two:
            async with one.registry.change() as directory:
                blank = Principal(0, "ops", PrincipalKind.OPERATOR)
                principal = (await directory.add_principal(blank, TokenDigest(0, b"digest", "", 0))).no
            added = await asyncio.gather(
                *((one, two)[n % 2].webhooks.add(a_webhook(str(n), principal), most=3) for n in range(8))
            )
            assert sum(added) == len(await one.webhooks.all()) == 3

    async def test_who_gets_the_number_of_a_removed_operator_does_not_get_its_webhooks(self) -> None:
        async with self.opened() as store:
            async with store.registry.change() as directory:
                blank = Principal(0, "ops", PrincipalKind.OPERATOR)
                principal = (await directory.add_principal(blank, TokenDigest(0, b"digest", "", 0))).no
            await store.webhooks.add(a_webhook("gone", principal), most=3)
            await store.webhooks.add(a_webhook("other", principal + 1), most=3)
            async with store.registry.change() as directory:
                await directory.remove_operator(principal)
            assert [one.id for one in await store.webhooks.all()] == ["other"]

    async def test_progress_is_written_over_that_which_it_began_from_and_no_other(self) -> None:
        async with self.opened() as store:
            await store.webhooks.add(a_webhook(), most=5)
            ahead = WebhookProgress(Seq(9), Seq(12), 3, 5, 6, "No.", 4, PauseReason.GONE)
            new = WebhookProgress(Seq(0))
            assert await store.webhooks.save("w", new, ahead)
            for before in (
                new,
                replace(ahead, batch_to=None),
                replace(ahead, failed_us=6),
                replace(ahead, paused=None),
            ):
                assert not await store.webhooks.save("w", before, replace(ahead, position=Seq(10)))
                assert not await store.webhooks.resume("w", before)
            assert not await store.webhooks.save("gone", new, ahead)
            assert (await store.webhooks.all())[0].progress == ahead
            assert await store.webhooks.resume("w", ahead)
            assert (await store.webhooks.all())[0].progress == ahead.resumed()

    async def test_changes_are_counted_but_those_of_progress(self) -> None:
        async with self.opened() as store:
            counts = [await store.webhooks.changes()]
            webhook = a_webhook()

            async def has_counted() -> bool:
                counts.append(await store.webhooks.changes())
                return counts[-1] > counts[-2]

            await store.webhooks.add(webhook, most=5)
            assert await has_counted()
            moved = webhook.progress.moved(Seq(3))
            assert await store.webhooks.save("w", webhook.progress, moved)
            assert not await has_counted()
            assert await store.webhooks.resume("w", moved)
            assert await has_counted()
            assert await store.webhooks.hold(await store.webhooks.lease(), "me")
            assert not await has_counted()
            await store.webhooks.remove("w")
            assert await has_counted()
            async with store.registry.change() as directory:
                blank = Principal(0, "ops", PrincipalKind.OPERATOR)
                principal = (await directory.add_principal(blank, TokenDigest(0, b"digest", "", 0))).no
            async with store.registry.change() as directory:
                await directory.remove_operator(principal)
            assert await has_counted()
            await store.put_back(7, later_than_us=7)
            assert await has_counted()

    async def test_of_several_that_take_the_lease_one_gets_it(self) -> None:
        async with self.opened() as one, self.opened() as two:
            assert await one.webhooks.lease() == Lease("", 0)
            for beat in range(3):
                seen = await one.webhooks.lease()
                assert seen.beat == beat
                taken = await asyncio.gather(*((one, two)[n % 2].webhooks.hold(seen, f"process {n}") for n in range(6)))
                assert taken.count(True) == 1
                assert await two.webhooks.lease() == Lease(f"process {taken.index(True)}", beat + 1)

    async def test_a_row_says_when_what_caused_it_was_received(self) -> None:
        async with self.opened() as store:
            await append(store, 3)
            causes = await store.logs.causes(1, Seq(1), Seq(3))
            assert {seq: one.received_us for seq, one in causes.items()} == {2: None, 3: None}
            async with store.transaction() as tx:
                await tx.policy()
                await tx.heads([1])
                changes = [a_change(4)]
                received = {(1, Seq(4)): 77}
                await tx.write(Writes(changes=changes, heads=head_after(changes), received=received))
            assert (await store.logs.causes(1, Seq(3), Seq(9)))[Seq(4)].received_us == 77

    async def test_the_end_of_a_log_says_whether_it_is_of_an_alert_lane(self) -> None:
        async with self.opened() as store:
            async with store.registry.change() as directory:
                await directory.set_alert(2, True)
            assert {no for no, end in (await store.logs.ends()).items() if end.alert} == {2}
            assert [one.alert for one in (await store.policy()).collections.values()] == [False, True, False]
