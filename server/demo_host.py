"""The backend of the demo's page, as every host of the embed has one.

What a host does over the network with its secret key, this one does in the process: it mints a token for its
customer, burns for what the page asks, and reads what the page shows. It exists under `scrip demo` alone.
"""

from decimal import Decimal
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from credits import ids
from credits.amount import plain, plain_micro
from credits.catalog.values import Catalog
from credits.errors import InsufficientCredits, Refusal
from credits.ledger.entries import Entry, Kind
from credits.ledger.reads import EntryFilter, read_ledger
from credits.posting.commands import Burn, Spend
from credits.posting.outcomes import Burned
from server.demo_requests import answer_json, read_body, read_key, require_same_origin
from server.demo_stage import Stage
from server.demo_world import (
    ENLARGEMENTS,
    IDEAS,
    NAMES,
    PLATES,
    PROOFS,
    SCENE_MAX,
    SCENES,
    SHEETS,
    SIZES,
    STUDIO,
    YOU,
)

_TOKEN_TTL_S = 600
# All that the billing page needs, and what buys: everybody here may buy for the studio.
_SCOPES = [
    "balance:read",
    "ledger:read",
    "usage:read",
    "limits:read",
    "topup:create",
    "recharge:manage",
    "dispute:create",
]
_ACTIVITY_ROWS = 6
_IDEAS_AT_ONCE = 3


class Host:
    """The page's backend. The stage is told of every request: while somebody looks, the team works."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def routes(self) -> list[Route]:
        return [
            Route("/demo/token", self.token, methods=["POST"]),
            Route("/demo/prices", self.prices, methods=["GET"]),
            Route("/demo/activity", self.activity, methods=["GET"]),
            Route("/demo/generate", self.generate, methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        """What `token-url` of the embed asks for: here everybody is logged in as Studio Lindqvist."""
        self._stage.note()
        require_same_origin(request)
        origin = request.headers.get("origin")
        demo = self._stage.demo
        token, expires_at = demo.services.mint_token(
            workspace_id=demo.workspace_id,
            customer_id=demo.customer.id,
            subject=ids.make("cus", demo.customer.id),
            scopes=_SCOPES,
            ttl_s=_TOKEN_TTL_S,
            origins=[origin] if origin else [],
        )
        return answer_json({"token": token, "expiresAt": expires_at.isoformat()})

    async def prices(self, _: Request) -> Response:
        """What each act on the page costs now, what would be left after it, and whether it may happen."""
        found: dict[str, Any] = {}
        left = "0"
        demo = self._stage.demo
        async with demo.services.reader.page(demo.workspace_id) as page:
            for name, spend in _offered().items():
                checked = await page.check(demo.customer, spend)
                if not isinstance(checked, Refusal):
                    decision, balance = checked
                    after = plain_micro(balance.available - decision.cost_micro)
                    cost = plain_micro(decision.cost_micro)
                    found[name] = {"cost": cost, "after": after, "allowed": decision.allowed}
                    left = plain_micro(balance.available)
        return answer_json({"prices": found, "available": left})

    async def activity(self, _: Request) -> Response:
        """The newest entries of the studio's ledger."""
        self._stage.note()
        demo = self._stage.demo
        async with demo.services.reader.page(demo.workspace_id) as page:
            wanted = EntryFilter(kinds=(Kind.BURN, Kind.GRANT, Kind.EXPIRE))
            entries, _more = await read_ledger(page.connection, demo.customer.id, wanted, _ACTIVITY_ROWS, None)
            return answer_json({"entries": [_shown(entry, page.catalog) for entry in entries]})

    async def generate(self, request: Request) -> Response:
        """Burns for what the page asks to have made. A refusal is an answer like any other."""
        self._stage.note()
        body = await read_body(request)
        demo = self._stage.demo
        command = Burn(STUDIO.key, _wish(body), read_key(body), demo.actor_id)
        if command.form() is not None:
            raise HTTPException(400, "no such print")
        answer = await demo.services.writer.post(demo.workspace_id, command)
        if isinstance(answer, InsufficientCredits):
            needed, left = plain_micro(answer.needed_micro), plain_micro(answer.available_micro)
            return answer_json({"refused": {"code": answer.code, "needed": needed, "available": left}})
        if not isinstance(answer, Burned):
            raise HTTPException(409, answer.message if isinstance(answer, Refusal) else "no burn")
        return answer_json({**self._receipt(answer), **_made(body, answer.entry)})

    def _receipt(self, answer: Burned) -> dict[str, Any]:
        """What it cost and why, as the entry says it."""
        cause = answer.entry.cause
        catalog = self._stage.demo.services.reader.catalog(self._stage.demo.workspace_id)
        feature = catalog.feature(cause.feature_id or 0)
        rate = catalog.rate(cause.rate_id or 0)
        card = None if rate is None else catalog.card(rate.rate_card_id)
        if feature is None or rate is None or card is None or cause.quantity is None:
            raise TypeError("a rated burn names feature, quantity and rate")
        return {
            "entry": ids.make("ent", answer.entry.customer_id, answer.entry.credit_type_id, answer.entry.sequence),
            "cost": plain_micro(-answer.entry.amount),
            "after": plain_micro(answer.balance.available),
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
    return {
        "id": ids.make("ent", entry.customer_id, entry.credit_type_id, entry.sequence),
        "kind": entry.kind.name,
        "what": feature.key if feature else None,
        "who": NAMES.get(cause.member or "", "Overprint"),
        "isYours": cause.member == YOU,
        "inks": dimensions.get("inks"),
        "scene": dimensions.get("scene"),
        "amount": plain_micro(entry.amount),
    }


def _offered() -> dict[str, Spend]:
    """Each act that the page offers, by the name it has there."""
    prints = {f"{sheet}-{inks}": _print(sheet, inks) for sheet in SHEETS for inks in PLATES}
    return {**prints, "proof": _one(PROOFS), "ideas": _one(IDEAS), "enlarge": _one(ENLARGEMENTS, to=SIZES[0])}


def _print(sheet: str, inks: str, **more: str) -> Spend:
    quantity = Decimal(PLATES[inks])
    return Spend(feature=SHEETS[sheet], quantity=quantity, dimensions={"inks": inks, **more}, member=YOU)


def _one(feature: str, **dimensions: str) -> Spend:
    return Spend(feature=feature, quantity=Decimal(1), dimensions=dimensions, member=YOU)


def _wish(body: dict[str, Any]) -> Spend:
    """What the page wants to have made."""
    offered = _offered()
    action, sheet, inks, scene = (body.get(name) for name in ("action", "sheet", "inks", "scene"))
    if action in ("proof", "ideas", "enlarge"):
        return offered[action]
    is_print = action == "print" and f"{sheet}-{inks}" in offered
    if not is_print or not isinstance(scene, str) or not 0 < len(scene) <= SCENE_MAX:
        raise HTTPException(400, "no such print")
    return _print(str(sheet), str(inks), scene=scene)


def _made(body: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """What else the page gets. The ideas follow from the entry, so that a retry gets the same ones."""
    if body["action"] != "ideas":
        return {}
    step = 5  # shares no divisor with the number of scenes, so that all of them have their turn
    return {"ideas": [SCENES[(entry.sequence * step + i) % len(SCENES)] for i in range(_IDEAS_AT_ONCE)]}
