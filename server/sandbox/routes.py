"""`/sandbox/…`: the page of a payment, the page on which a method is saved, and the acts that tests play by.

    GET  /sandbox/checkout/{top-up}                                     the page; JSON {"status"} where Accept says so
    POST /sandbox/checkout/{top-up}/{pay|decline|authenticate|cancel}   no credential: the id is hard to guess
    POST /sandbox/checkout/{top-up}/dispute/{open|win|lose}             a secret key, FINANCE or ADMIN
    GET  /sandbox/setup/{token}                                         the page that `setupPaymentMethod` leads to
    POST /sandbox/setup/{token}/{ok|declining|authenticating}           its buttons
    POST /sandbox/setup/{customer key}/{ok|declining|authenticating}    a secret key, BACKEND or ADMIN

What is unknown, foreign, or of a live workspace is 404 alike. A browser is led back to the page by 303; whoever does not
ask for HTML is told in JSON. After each act Scrip is made to look, as it looks when any provider says that something
happened; where it cannot just now, it looks by itself a little later.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fastapi import FastAPI
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from credits.customers.customers import Customer, find_customer, read_customers
from credits.errors import Unavailable
from credits.posting.reader import Page
from credits.recharge.provider import Method, ProviderUnavailable
from credits.recharge.tables import top_ups
from credits.recharge.top_ups import Place, place_of
from schema.context import Caller, Services
from schema.errors import Problem
from schema.permission import Rule, refusal, secret
from server.auth import Authenticator, Presented, http_status
from server.clock import real_now
from server.sandbox import pages, store
from server.sandbox.payments import ACTS, DISPUTE_ACTS, METHOD_KINDS, Act, DisputeAct, MethodKind, Refused
from server.sandbox.provider import Sandbox, open_sandbox
from server.sandbox.setup_links import SetupLink
from server.settings import Settings

_log = logging.getLogger(__name__)

DISPUTING = secret("FINANCE")
SAVING = secret("BACKEND")
RETURN_AFTER_S = 1  # time to read one word; longer, and browsers would put the page into the way back
_Choice = TypeVar("_Choice", bound=str)

_HEADERS = {
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # the address is all that it takes to act
}
_PAGE_HEADERS = _HEADERS | {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
}
_FILES = {"page.css": "text/css", "icon.svg": "image/svg+xml"}


class Missing(Exception):
    """404, whatever the reason."""


class SandboxHttp:
    """Answers `/sandbox/…`. `sandbox` and `services` are there once requests come; `base` is the path of the public
    address."""

    def __init__(
        self,
        authenticator: Authenticator,
        sandbox: Callable[[], Sandbox],
        services: Callable[[], Services],
        *,
        base: str,
    ) -> None:
        self._authenticator = authenticator
        self._sandbox, self._services = sandbox, services
        self._base = base

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/sandbox/checkout/{order}", self._answer(self.checkout), methods=["GET"]),
            Route("/sandbox/checkout/{order}/{act}", self._answer(self.act), methods=["POST"]),
            Route("/sandbox/checkout/{order}/dispute/{act}", self._answer(self.dispute), methods=["POST"]),
            Route("/sandbox/setup/{token}", self._answer(self.setup), methods=["GET"]),
            # A customer's key may have a slash in it.
            Route("/sandbox/setup/{customer:path}/{kind}", self._answer(self.save), methods=["POST"]),
            *(_file_route(name, media_type) for name, media_type in _FILES.items()),
        ]

    # ─── a payment ───────────────────────────────────────────────────────────────────────────────────────
    async def checkout(self, request: Request) -> Response:
        place, workspace_id = await self._order(request)
        if _wants_json(request):
            return JSONResponse({"status": await self._state(workspace_id, place)}, headers=_HEADERS)
        now = real_now()
        async with self._services().reader.page(workspace_id) as page:
            payment = await store.read_payment(page.connection, place)
            if payment is None:
                raise Missing
            shop, bought = page.workspace.name, await _bought(page, place)
        headers = dict(_PAGE_HEADERS)
        returning = "done" in request.query_params
        result = pages.RESULTS.get(payment.at(now).state)
        back = None if result is None else pages.return_address(payment.return_url, result, payment.order_id)
        if returning and back is not None:
            headers["refresh"] = f"{RETURN_AFTER_S}; url={back}"
        html = pages.checkout(payment, shop, bought, now, self._base, returning=back is not None and returning)
        return Response(html, media_type="text/html", headers=headers)

    async def act(self, request: Request) -> Response:
        place, workspace_id = await self._order(request)
        act: Act = _one_of(ACTS, request.path_params["act"])
        seen = request.query_params.get("seen", "")
        version = int(seen) if seen.isdecimal() and len(seen) < 10 else None
        refused = await self._sandbox().act(workspace_id, place, act, version)
        await self._looked_at(workspace_id, place)
        state = await self._state(workspace_id, place)
        if not _wants_html(request):
            return _told(state, refused)
        # A declined payment can be tried again: the browser stays.
        done = "?done" if state in ("SUCCEEDED", "CANCELED") else ""
        return self._see(f"/sandbox/checkout/{request.path_params['order']}{done}")

    async def dispute(self, request: Request) -> Response:
        caller = await self._caller(request, DISPUTING)
        place, workspace_id = await self._order(request)
        act: DisputeAct = _one_of(DISPUTE_ACTS, request.path_params["act"])
        if caller.workspace_id != workspace_id:
            raise Missing
        refused = await self._sandbox().dispute(workspace_id, place, act)
        await self._looked_at(workspace_id, place)
        return _told(await self._state(workspace_id, place), refused)

    # ─── a payment method ────────────────────────────────────────────────────────────────────────────────
    async def setup(self, request: Request) -> Response:
        token = request.path_params["token"]
        link, customer, shop = await self._link(token)
        saved = "saved" in request.query_params
        headers = dict(_PAGE_HEADERS)
        back = pages.return_address(link.return_url, "saved")
        if saved and back is not None:
            headers["refresh"] = f"{RETURN_AFTER_S}; url={back}"
        html = pages.setup(shop, customer.name, token, link.return_url, self._base, saved=saved)
        return Response(html, media_type="text/html", headers=headers)

    async def save(self, request: Request) -> Response:
        kind: MethodKind = _one_of(METHOD_KINDS, request.path_params["kind"])
        given = request.path_params["customer"]
        if request.headers.get("authorization") is None:
            link, customer, _ = await self._link(given)
            workspace_id = link.workspace_id
        else:
            workspace_id = (await self._caller(request, SAVING)).workspace_id
            async with self._services().reader.page(workspace_id) as page:
                found = await find_customer(page.connection, given)
            if found is None:
                raise Missing
            customer = found
        method = await self._save(workspace_id, customer, kind)
        if _wants_html(request):
            return self._see(f"/sandbox/setup/{given}?saved")
        return JSONResponse(_shown(method), headers=_HEADERS)

    async def _link(self, token: str) -> tuple[SetupLink, Customer, str]:
        """What a link says, its customer, and the name of its workspace."""
        link = self._sandbox().links.read(token, real_now())
        if link is None:
            raise Missing
        async with self._services().reader.page(link.workspace_id) as page:
            customer = (await read_customers(page.connection, [link.customer_id])).get(link.customer_id)
            if customer is None or not page.workspace.test_mode:
                raise Missing
            return link, customer, page.workspace.name

    async def _save(self, workspace_id: int, customer: Customer, kind: MethodKind) -> Method:
        method = await self._sandbox().save_method(workspace_id, customer.id, kind)
        if method is None:
            raise Missing
        try:
            await self._services().cashier.refresh_methods(workspace_id, customer)
        except (Unavailable, ProviderUnavailable) as error:
            _log.warning("a saved method was not taken in yet: %s", error)
        return method

    # ─── within ──────────────────────────────────────────────────────────────────────────────────────────
    async def _order(self, request: Request) -> tuple[Place, int]:
        """The order that the address names, and its workspace."""
        place = place_of(request.path_params["order"])
        workspace_id = None if place is None else await store.find_workspace(self._services().database, place)
        if place is None or workspace_id is None:
            raise Missing
        return place, workspace_id

    async def _state(self, workspace_id: int, place: Place) -> str:
        async with self._services().database.view(workspace_id) as connection:
            payment = await store.read_payment(connection, place)
        if payment is None:
            raise Missing
        return payment.at(real_now()).state

    async def _looked_at(self, workspace_id: int, place: Place) -> None:
        try:
            await self._services().cashier.look(workspace_id, place)
        except (Unavailable, ProviderUnavailable) as error:
            _log.warning("what happened to a sandbox payment was not taken in yet: %s", error)

    async def _caller(self, request: Request, rule: Rule) -> Caller:
        caller = await self._authenticator.caller(Presented.of(request.scope), self._services().database)
        refused = refusal(rule, caller)
        if refused is not None:
            raise refused
        return caller

    def _see(self, path: str) -> Response:
        return RedirectResponse(self._base + path, status_code=303, headers=_PAGE_HEADERS)

    def _answer(self, route: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """The route, with its errors as answers."""

        async def answer(request: Request) -> Response:
            try:
                return await route(request)
            except Missing:
                if _wants_html(request):
                    return Response(
                        pages.missing(self._base), status_code=404, media_type="text/html", headers=_PAGE_HEADERS
                    )
                return _error(404, "NOT_FOUND", "no such thing in a test workspace")
            except Problem as problem:
                return _error(http_status(problem), str((problem.extensions or {}).get("code")), problem.message)
            except (Unavailable, ProviderUnavailable):
                return _error(503, "UNAVAILABLE", "the store cannot answer now; try again")

        return answer


async def _bought(page: Page, place: Place) -> pages.Bought | None:
    """What of the order only Scrip knows."""
    query = select(top_ups.c.credits, top_ups.c.credit_type_id)
    row = (
        await page.connection.execute(query.where(top_ups.c.customer_id == place[0], top_ups.c.number == place[1]))
    ).one_or_none()
    credit_type = None if row is None else page.catalog.credit_type(row.credit_type_id)
    return None if row is None or credit_type is None else pages.Bought(row.credits, credit_type.unit_plural)


def _one_of(choices: tuple[_Choice, ...], given: str) -> _Choice:
    if given not in choices:
        raise Missing
    return given


def _told(state: str, refused: Refused | None) -> Response:
    if refused is None:
        return JSONResponse({"status": state}, headers=_HEADERS)
    error = {"code": "CONFLICT", "message": refused.message}
    return JSONResponse({"status": state, "error": error}, status_code=409, headers=_HEADERS)


def _shown(method: Method) -> dict[str, Any]:
    return {
        "id": method.provider_id,
        "label": method.label,
        "expires": method.expires,
        "isDefault": method.is_default,
    }


def _wants_html(request: Request) -> bool:
    """What browsers say of themselves when a person goes somewhere."""
    return "text/html" in request.headers.get("accept", "")


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "") and not _wants_html(request)


def _error(status: int, code: str, message: str) -> Response:
    headers = _HEADERS | ({"retry-after": "1"} if status == 503 else {})
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=headers)


def _file_route(name: str, media_type: str) -> Route:
    content = (pages.FOLDER / name).read_bytes()
    headers = {"cache-control": "public, max-age=300", "x-content-type-options": "nosniff"}

    async def file(_: Request) -> Response:
        return Response(content, media_type=media_type, headers=headers)

    return Route(f"/sandbox/{name}", file, methods=["GET"])


def create_sandbox_routes(authenticator: Authenticator, app: FastAPI, settings: Settings) -> list[BaseRoute]:
    """The routes, for the application whose `state.services` are open."""

    @cache
    def sandbox() -> Sandbox:
        return open_sandbox(app.state.services.database, settings)

    http = SandboxHttp(authenticator, sandbox, lambda: app.state.services, base=urlsplit(settings.public_url).path)
    return http.routes()
