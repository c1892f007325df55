"""``/v1/webhooks``: principals manage their own webhooks; operators see all of them and may stop any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated
from uuid import uuid4

import pydantic
import structlog
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from hub.doors.auth import ensure_own_token
from hub.doors.body_headers import encoding_of, length_of
from hub.doors.context import Doors
from hub.doors.openapi import ERRORS, binary_body
from hub.doors.webhooks.batches import TEST, body_of
from hub.doors.webhooks.infos import webhook_info
from hub.doors.webhooks.sender import Message, WebhookSender, secret_of
from hub.model.errors import NotFound, Refused, TryAgain
from hub.model.principals import Principal, PrincipalKind
from hub.model.webhooks import Webhook, WebhookFilter, WebhookProgress
from hub.model.words import Seq
from hub.registry import names
from hub.registry.collections import filter_of
from schemas.api import Body
from schemas.webhooks import AddedWebhook, WebhookInfo, WebhookList, WebhookRequest, WebhookTest

JSON = "application/json"
PATH = "/v1/webhooks"
WebhookId = Annotated[str, Path(alias="id", max_length=36)]
_log = structlog.get_logger()


def routes(doors: Doors) -> APIRouter:
    """``/v1/webhooks`` and what is below it."""
    router = APIRouter(tags=["webhooks"], default_response_class=Response)
    webhooks = _Webhooks(doors)
    _add_listing(router, webhooks)
    _add_actions(router, webhooks)
    return router


def _add_listing(router: APIRouter, webhooks: _Webhooks) -> None:
    @router.post(
        PATH,
        status_code=201,
        responses={201: {"model": AddedWebhook}, **ERRORS},
        openapi_extra=binary_body({JSON: None}, WebhookRequest),
    )
    async def add_webhook(request: Request) -> Response:
        """Have the changes of a collection posted to a URL, signed with the secret of the answer."""
        return _answer(await webhooks.add(request), 201)

    @router.get(PATH, responses={200: {"model": WebhookList}, **ERRORS})
    async def list_webhooks(request: Request) -> Response:
        """List your webhooks, how far each is, and why one is paused. Operators see all."""
        principal = await webhooks.principal(request)
        mine = None if principal.kind is PrincipalKind.OPERATOR else principal.no
        found = await webhooks.doors.store.webhooks.all(mine)
        return _answer(WebhookList(webhooks=await webhooks.infos(found)))


def _add_actions(router: APIRouter, webhooks: _Webhooks) -> None:
    one = PATH + "/{id}"

    @router.delete(one, responses={200: {"model": WebhookInfo}, **ERRORS})
    async def remove_webhook(request: Request, webhook_id: WebhookId) -> Response:
        """Remove a webhook. What is on its way arrives."""
        found = await webhooks.find(request, webhook_id)
        await webhooks.doors.store.webhooks.remove(found.id)
        _log.info("webhook.removed", collection=found.collection_name)
        return _answer(await webhooks.info(found))

    @router.post(f"{one}/test", responses={200: {"model": WebhookTest}, **ERRORS})
    async def test_webhook(request: Request, webhook_id: WebhookId) -> Response:
        """Post one message of the type ``webhook.test`` now, and say what came of it."""
        return _answer(await webhooks.test(await webhooks.find(request, webhook_id)))

    @router.post(f"{one}/resume", responses={200: {"model": WebhookInfo}, **ERRORS})
    async def resume_webhook(request: Request, webhook_id: WebhookId) -> Response:
        """Try a paused or failing webhook at once, and go on where it stopped."""
        return _answer(await webhooks.resume(await webhooks.find(request, webhook_id)))


def _answer(body: Body, status: int = 200) -> Response:
    return Response(body.model_dump_json(), status, {"cache-control": "no-store"}, JSON)


class _Webhooks:
    """What the handlers do."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self._sender = WebhookSender(doors.settings.targets, ca_file=doors.settings.webhook_ca_file)
        self._tested: set[str] = set()

    async def principal(self, request: Request) -> Principal:
        """Returns who manages webhooks. Raises NotAuthenticated, NotAllowed."""
        principal = await self.doors.gate.required(request)
        ensure_own_token(principal)
        return principal

    async def add(self, request: Request) -> AddedWebhook:
        """Adds a webhook of the caller."""
        doors = self.doors
        principal = await self.principal(request)
        asked = await self._read(request, principal)
        collection = await doors.gate.open_to(principal, asked.collection)
        types, kinds = filter_of(asked.types, asked.kinds)
        confidence = names.percent(asked.min_confidence, what="confidence")
        head = await doors.store.logs.head(collection.no)
        webhook = Webhook(
            id=str(uuid4()),
            principal=principal.no,
            collection=collection.no,
            collection_name=collection.name,
            url=doors.settings.targets.checked(asked.url),
            filter=WebhookFilter(types, kinds, confidence),
            created_us=doors.now_us(),
            progress=WebhookProgress(head.seq if asked.begin == "now" else Seq(0)),
        )
        most = doors.settings.webhooks_each
        if not await doors.store.webhooks.add(webhook, most=most):
            raise Refused("webhook.too-many", f"You have {most} webhooks already.", "Remove one that you do not need.")
        _log.info("webhook.added", collection=collection.name)
        return AddedWebhook(webhook=await self.info(webhook), secret=secret_of(doors.key, webhook.id))

    async def find(self, request: Request, webhook_id: str) -> Webhook:
        """Returns a webhook of the caller, for an operator any. Raises NotFound, also for that of another."""
        principal = await self.principal(request)
        mine = None if principal.kind is PrincipalKind.OPERATOR else principal.no
        for webhook in await self.doors.store.webhooks.all(mine):
            if webhook.id == webhook_id:
                return webhook
        raise NotFound("webhook.unknown", "You have no such webhook.", f"See {PATH}.")

    async def test(self, webhook: Webhook) -> WebhookTest:
        """Posts a message without changes. One at a time for each webhook, so that nobody uses it to send many."""
        if webhook.id in self._tested:
            raise TryAgain("webhook.testing", "This webhook is being tested.", retry_after_s=5)
        self._tested.add(webhook.id)
        try:
            body = body_of(TEST, self.doors.now_us(), {"collection": webhook.collection_name})
            message = Message(f"msg_test_{uuid4().hex}", body, secret_of(self.doors.key, webhook.id))
            attempt = await self._sender.post(webhook.url, message)
        finally:
            self._tested.discard(webhook.id)
        return WebhookTest(
            taken=attempt.is_success, status=attempt.status, detail=attempt.says or "The receiver took the message."
        )

    async def resume(self, webhook: Webhook) -> WebhookInfo:
        """Lets it go on at once."""
        if not await self.doors.store.webhooks.resume(webhook.id, webhook.progress):
            raise TryAgain("webhook.moved", "The webhook has just moved on.", "See its state, and try again.")
        return await self.info(replace(webhook, progress=webhook.progress.resumed()))

    async def info(self, webhook: Webhook) -> WebhookInfo:
        """What is shown of one webhook."""
        return (await self.infos([webhook]))[0]

    async def infos(self, webhooks: Sequence[Webhook]) -> list[WebhookInfo]:
        """What is shown of these webhooks."""
        names_, ends = await self.doors.gate.names(), await self.doors.store.logs.ends()
        return [webhook_info(one, names_, ends) for one in webhooks]

    async def _read(self, request: Request, principal: Principal) -> WebhookRequest:
        body = await self.doors.intake.read(
            principal, request.stream(), encoding=encoding_of(request), length=length_of(request)
        )
        try:
            return WebhookRequest.model_validate_json(body)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the body"
            raise Refused("webhook.invalid", f"{where}: {first['msg']}.", "See docs/webhooks.md.") from None
