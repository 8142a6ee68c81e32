"""The backend of the demo's page, as every host of the embed has one.

What a host does over the network with its secret key, this one does in the process: it mints a token for its
customer, burns for what the page asks, and reads what the page shows. It exists under `scrip demo` alone.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from credits import ids
from credits.amount import from_micro, plain, plain_micro, to_micro
from credits.catalog.values import Catalog
from credits.errors import IdempotencyConflict, InsufficientCredits, Refusal
from credits.ledger.entries import Entry, Kind
from credits.ledger.reads import EntryFilter, read_ledger
from credits.posting.commands import Burn, GiveGrant, Spend
from credits.posting.outcomes import Burned, Granted
from server.demo_seed import Demo
from server.demo_traffic import Looking, available
from server.demo_world import (
    CREDIT_TYPE,
    INKS,
    LEVEL_FULL,
    LEVEL_LOW,
    MEGAPIXELS,
    NAMES,
    PRINTS,
    PROOFS,
    SCENE_MAX,
    STUDIO,
    YOU,
)

_BODY_BYTES_MAX = 4_096
_TOKEN_TTL_S = 600
_ACTIVITY_ROWS = 6
_ATTEMPTS = 3
_REFILL_LASTS = timedelta(days=3)


class Host:
    """The page's backend. `looking` is told of every request: while somebody looks, the team works."""

    def __init__(self, demo: Demo, looking: Looking) -> None:
        self._demo = demo
        self._looking = looking

    def routes(self) -> list[Route]:
        return [
            Route("/demo/token", self.token, methods=["POST"]),
            Route("/demo/prices", self.prices, methods=["GET"]),
            Route("/demo/activity", self.activity, methods=["GET"]),
            Route("/demo/generate", self.generate, methods=["POST"]),
            Route("/demo/level", self.level, methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        """What `token-url` of the embed asks for: here everybody is logged in as Studio Lindqvist."""
        self._looking.note()
        _same_origin(request)
        origin = request.headers.get("origin")
        token, expires_at = self._demo.services.mint_token(
            workspace_id=self._demo.workspace_id,
            customer_id=self._demo.customer.id,
            subject=ids.make("cus", self._demo.customer.id),
            scopes=["balance:read"],
            ttl_s=_TOKEN_TTL_S,
            origins=[origin] if origin else [],
        )
        return _json({"token": token, "expiresAt": expires_at.isoformat()})

    async def prices(self, _: Request) -> Response:
        """What each choice on the page costs, from the rate card."""
        wishes = {f"{sheet}-{inks}": _print(sheet, inks) for sheet in MEGAPIXELS for inks in INKS}
        found: dict[str, str] = {}
        async with self._demo.services.reader.page(self._demo.workspace_id) as page:
            for name, spend in {**wishes, "proof": _proof()}.items():
                answer = await page.check(self._demo.customer, spend)
                if not isinstance(answer, Refusal):
                    found[name] = plain_micro(answer[0].cost_micro)
        return _json({"prices": found})

    async def activity(self, _: Request) -> Response:
        """The newest entries of the studio's ledger."""
        self._looking.note()
        async with self._demo.services.reader.page(self._demo.workspace_id) as page:
            wanted = EntryFilter(kinds=(Kind.BURN, Kind.GRANT, Kind.EXPIRE))
            entries, _more = await read_ledger(page.connection, self._demo.customer.id, wanted, _ACTIVITY_ROWS, None)
            return _json({"entries": [_shown(entry, page.catalog) for entry in entries]})

    async def generate(self, request: Request) -> Response:
        """Burns for a print or a proof. A refusal is an answer like any other."""
        self._looking.note()
        body = await _body(request)
        command = Burn(STUDIO.key, _wish(body), _key(body), self._demo.actor_id)
        if command.form() is not None:
            raise HTTPException(400, "no such print")
        answer = await self._demo.services.writer.post(self._demo.workspace_id, command)
        if isinstance(answer, InsufficientCredits):
            needed, left = plain_micro(answer.needed_micro), plain_micro(answer.available_micro)
            return _json({"refused": {"code": answer.code, "needed": needed, "available": left}})
        if not isinstance(answer, Burned):
            raise HTTPException(409, answer.message if isinstance(answer, Refusal) else "no burn")
        return _json(self._receipt(answer))

    async def level(self, request: Request) -> Response:
        """The demo's own buttons: grants up to the full level, or burns down to the low one."""
        body = await _body(request)
        key, wanted = _key(body), body.get("level")
        if wanted not in ("low", "full"):
            raise HTTPException(400, "level is low or full")
        for _ in range(_ATTEMPTS):  # the team may burn between our look and our burn
            command = await self._towards(wanted, key)
            if command is None:
                return _json({})
            answer = await self._demo.services.writer.post(self._demo.workspace_id, command)
            match answer:
                case Burned():
                    return _json({"burned": plain_micro(-answer.entry.amount)})
                case Granted():
                    return _json({"granted": plain_micro(answer.grant.amount)})
                case IdempotencyConflict():  # it happened, and the answer was lost
                    return _json({})
                case InsufficientCredits():
                    continue
            raise HTTPException(409, "the level could not be reached")
        return _json({})

    async def _towards(self, level: str, key: str) -> Burn | GiveGrant | None:
        """What brings the balance to the level; None where it is there, or beyond it."""
        async with self._demo.services.reader.page(self._demo.workspace_id) as page:
            left_micro = await available(page, self._demo)
            now = page.workspace.now
        missing_micro = to_micro(LEVEL_FULL if level == "full" else LEVEL_LOW) - left_micro
        amount = from_micro(abs(missing_micro))
        if level == "low" and missing_micro < 0:
            spend = Spend(credit_type=CREDIT_TYPE, amount=amount, member=YOU)
            return Burn(STUDIO.key, spend, key, self._demo.actor_id, note="the demo's button")
        if level == "full" and missing_micro > 0:
            ends = _midnight(now) + _REFILL_LASTS
            return GiveGrant(
                STUDIO.key,
                CREDIT_TYPE,
                amount,
                "PROMOTION",
                key,
                self._demo.actor_id,
                note="the demo's button",
                expires_at=ends,
            )
        return None

    def _receipt(self, answer: Burned) -> dict[str, Any]:
        """What it cost and why, as the entry says it."""
        cause = answer.entry.cause
        catalog = self._demo.services.reader.catalog(self._demo.workspace_id)
        feature = catalog.feature(cause.feature_id or 0)
        rate = catalog.rate(cause.rate_id or 0)
        card = None if rate is None else catalog.card(rate.rate_card_id)
        if feature is None or rate is None or card is None or cause.quantity is None:
            raise TypeError("a rated burn names feature, quantity and rate")
        return {
            "entry": ids.make("ent", answer.entry.customer_id, answer.entry.credit_type_id, answer.entry.sequence),
            "cost": plain_micro(-answer.entry.amount),
            "feature": feature.name,
            "quantity": plain(cause.quantity),
            "unit": feature.unit if cause.quantity == 1 else f"{feature.unit}s",
            "perUnit": plain(rate.per_unit),
            "cohort": card.cohort,
            "version": card.version,
        }


def _shown(entry: Entry, catalog: Catalog) -> dict[str, Any]:
    """An entry of the ledger as the page's list shows it."""
    cause = entry.cause
    feature = None if cause.feature_id is None else catalog.feature(cause.feature_id)
    dimensions = orjson.loads(cause.dimensions) if cause.dimensions else {}
    sheets = {megapixels: sheet for sheet, megapixels in MEGAPIXELS.items()}
    return {
        "id": ids.make("ent", entry.customer_id, entry.credit_type_id, entry.sequence),
        "kind": entry.kind.name,
        "what": {PRINTS: "print", PROOFS: "proof"}.get(feature.key) if feature else None,
        "who": NAMES.get(cause.member or "", "Overprint"),
        "isYours": cause.member == YOU,
        "sheet": None if cause.quantity is None else sheets.get(int(cause.quantity)),
        "inks": dimensions.get("inks"),
        "scene": dimensions.get("scene"),
        "amount": plain_micro(entry.amount),
    }


def _print(sheet: str, inks: str, scene: str | None = None) -> Spend:
    dimensions = {"inks": inks} if scene is None else {"inks": inks, "scene": scene}
    return Spend(feature=PRINTS, quantity=Decimal(MEGAPIXELS[sheet]), dimensions=dimensions, member=YOU)


def _proof() -> Spend:
    return Spend(feature=PROOFS, quantity=Decimal(1), member=YOU)


def _wish(body: dict[str, Any]) -> Spend:
    """What the page wants to have made."""
    if body.get("action") == "proof":
        return _proof()
    sheet, inks, scene = body.get("sheet"), body.get("inks"), body.get("scene")
    known = body.get("action") == "print" and sheet in tuple(MEGAPIXELS) and inks in INKS
    if not known or not isinstance(scene, str) or not 0 < len(scene) <= SCENE_MAX:
        raise HTTPException(400, "no such print")
    return _print(str(sheet), str(inks), scene)


def _key(body: dict[str, Any]) -> str:
    key = body.get("key")
    if not isinstance(key, str):
        raise HTTPException(400, "key is missing")
    return key


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that our own page sent. Other pages cannot send this media type without asking first, and
    nobody allows them."""
    _same_origin(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send application/json")
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > _BODY_BYTES_MAX:
            raise HTTPException(413, "too large")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, "not JSON") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "not a JSON object")
    return body


def _same_origin(request: Request) -> None:
    """Refuses what another site's page has sent; browsers say so by themselves."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site not in (None, "same-origin") or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    ):
        raise HTTPException(403, "not from this page")


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _json(value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value), media_type="application/json", headers={"cache-control": "no-store"})
