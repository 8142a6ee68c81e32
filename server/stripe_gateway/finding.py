"""Finding what Stripe has of an order: by the ids we know, else by our metadata.

Why an order that is asked for again never makes a second payment:

- Younger than 23 h: the idempotency key is the order's. Whatever the first request made is answered again.
- Older: Stripe may have forgotten the key, so what was made is looked for first. Lists show at once what was made; the
  customer's sessions and payment intents since the order are read whole, or nothing is concluded. Search sees what is
  older than a minute, whichever customer it stands under. What both missed would be both older than a day (its key is
  forgotten) and younger than a minute, and missing in a list: there is no such thing. Two that look at the same time, find
  nothing and ask use the same key once more, which is young again.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TypeAlias

from credits.recharge.provider import Order, ProviderUnavailable
from server.stripe_gateway.asking import Asker, Json, Refused
from server.stripe_gateway.truth import CUSTOMER, TOP_UP, WORKSPACE, is_of

Found: TypeAlias = tuple[Json | None, Json | None]  # session, payment intent

_EXPAND_CHARGE = {"expand": ["latest_charge"]}
_EXPAND_INTENT = {"expand": ["payment_intent.latest_charge"]}
_SKEW = timedelta(minutes=10)  # between the clocks of whoever stored the order and Stripe


async def find(asker: Asker, order: Order, customer: str | None) -> Found:
    """The order's session (HOSTED) and payment intent, as they are now; both None: Stripe knows no such order. Raises as
    `Asker.ask`, and `ProviderUnavailable` where Stripe does not have what it once told us of: then it is another account
    or mode that answers, and nothing may be concluded."""
    found = await _find(asker, order, customer)
    if found == (None, None) and (order.session or order.payment):
        raise ProviderUnavailable(f"{order.id} is not in this account: does the key belong to another account or mode?")
    return found


async def _find(asker: Asker, order: Order, customer: str | None) -> Found:
    if order.mode == "HOSTED":
        return await _hosted(asker, order, customer)
    intent = await intent_by_id(asker, order.payment) if order.payment else None
    if intent is None and customer is not None:
        intent = await _listed_intent(asker, order, customer)
    return None, intent or await _searched_intent(asker, order)


async def intent_by_id(asker: Asker, payment: str) -> Json | None:
    """A payment intent with its latest charge."""
    return await asker.find(lambda: asker.v1.payment_intents.retrieve_async(payment, _EXPAND_CHARGE))


async def paybacks(asker: Asker, intent: Json | None) -> tuple[list[Json], list[Json]]:
    """Refunds and payment disputes of what was paid. A refund that failed is in its list alone, so that is always read."""
    if intent is None or intent["status"] != "succeeded":
        return [], []
    charge = intent.get("latest_charge")
    asked = {"payment_intent": intent["id"]}
    refunds = [refund async for refund in asker.pages(lambda page: asker.v1.refunds.list_async({**asked, **page}), {})]
    if isinstance(charge, dict) and not charge.get("disputed"):
        return refunds, []
    disputes = asker.pages(lambda page: asker.v1.disputes.list_async({**asked, **page}), {})
    return refunds, [dispute async for dispute in disputes]


async def customer_by_metadata(asker: Asker, workspace_id: int, customer_id: str) -> Json | None:
    """The oldest customer that our metadata name. Search may not see what is younger than a minute."""
    query = f"metadata['{WORKSPACE}']:'{workspace_id}' AND metadata['{CUSTOMER}']:'{customer_id}'"
    found = await _search(asker, asker.v1.customers, query)
    return min(found, key=lambda customer: (customer["created"], customer["id"]), default=None)


async def _hosted(asker: Asker, order: Order, customer: str | None) -> Found:
    session = None
    if order.session:
        session = await _session_by_id(asker, order.session)
    if session is None and customer is not None:
        session = await _listed_session(asker, order, customer)
    if session is None:
        intent = await _searched_intent(asker, order)
        if intent is None:
            return None, None
        session = await _session_of(asker, intent["id"])
        if session is None:
            return None, intent
    intent = session.get("payment_intent")
    return session, intent if isinstance(intent, dict) else None


async def _session_by_id(asker: Asker, session: str) -> Json | None:
    return await asker.find(lambda: asker.v1.checkout.sessions.retrieve_async(session, _EXPAND_INTENT))


async def _session_of(asker: Asker, payment: str) -> Json | None:
    asked = {"payment_intent": payment, "limit": 1}
    listed = await asker.ask(lambda: asker.v1.checkout.sessions.list_async(asked))
    return await _session_by_id(asker, listed["data"][0]["id"]) if listed["data"] else None


async def _listed_session(asker: Asker, order: Order, customer: str) -> Json | None:
    asked = {"customer": customer, "created": {"gte": _since(order)}}
    listed = asker.pages(lambda page: asker.v1.checkout.sessions.list_async({**asked, **page}), {})
    ours = [
        session async for session in _of_whom_is_known(listed) if is_of(session, order.id, order.payer.workspace_id)
    ]
    return await _session_by_id(asker, ours[0]["id"]) if ours else None


async def _listed_intent(asker: Asker, order: Order, customer: str) -> Json | None:
    asked = {"customer": customer, "created": {"gte": _since(order)}}
    found = asker.pages(lambda page: asker.v1.payment_intents.list_async({**asked, **page}), {})
    ours = [intent async for intent in _of_whom_is_known(found) if is_of(intent, order.id, order.payer.workspace_id)]
    return await intent_by_id(asker, _foremost(ours)["id"]) if ours else None


async def _searched_intent(asker: Asker, order: Order) -> Json | None:
    query = f"metadata['{WORKSPACE}']:'{order.payer.workspace_id}' AND metadata['{TOP_UP}']:'{order.id}'"
    found = await _search(asker, asker.v1.payment_intents, query)
    return await intent_by_id(asker, _foremost(found)["id"]) if found else None


async def _search(asker: Asker, among: object, query: str) -> list[Json]:
    """Nothing where the account cannot search, as in some countries: lists and keys are what is relied on."""
    try:
        answer = await asker.ask(lambda: among.search_async({"query": query, "limit": 100}))  # type: ignore[attr-defined]
    except Refused:
        return []
    return list(answer["data"])


async def _of_whom_is_known(listed: AsyncIterator[Json]) -> AsyncIterator[Json]:
    """What is listed of a customer; nothing where Stripe knows no such customer."""
    try:
        async for item in listed:
            yield item
    except Refused as refused:
        if refused.code != "resource_missing":
            raise


def _foremost(intents: list[Json]) -> Json:
    """Of several, which there should never be: the one that is paid, else the oldest."""
    return min(intents, key=lambda intent: (intent["status"] != "succeeded", intent["created"], intent["id"]))


def _since(order: Order) -> int:
    return int((order.created_at - _SKEW).timestamp())
