"""What a test may do to the fake beyond Stripe's API: turn knobs, be the customer, the bank, the clock, an attacker.

Everything takes and gives plain values: the same verbs are called from Python and by `POST /_fake/{verb}`.
"""

import asyncio
import time
from typing import Any

import orjson

from tests.harness.stripe import cards, checkout, intents, money, pages, returns
from tests.harness.stripe.api import Fake
from tests.harness.stripe.book import Json
from tests.harness.stripe.deliveries import Endpoint
from tests.harness.stripe.knobs import OF_CALLS, OF_WEBHOOKS
from tests.harness.stripe.problems import Problem


class Controls:
    def __init__(self, fake: Fake) -> None:
        self._fake = fake

    # Knobs

    def turn(self, knob: str, probability: float = 1.0, **options: Any) -> None:
        """`only`, `times`, and the knob's own options: see knobs.py."""
        self._fake.knobs.turn(knob, probability, **options)

    def off(self) -> None:
        """All knobs."""
        self._fake.knobs.off()

    def counters(self) -> dict[str, Any]:
        fake = self._fake
        sent = fake.deliveries.sent
        return {
            "seed": fake.knobs.seed,
            "knobs": fake.knobs.counters(),
            "calls": dict(fake.calls),
            "keys": {"replayed": fake.keys.replayed, "conflicts": fake.keys.conflicts, "kept": len(fake.keys.kept)},
            "webhooks": {
                "sent": len(sent),
                "accepted": sum(entry.status // 100 == 2 for entry in sent),
                "retries": sum(entry.attempt > 1 for entry in sent),
                "forged": sum(bool(entry.forged) for entry in sent),
                "dropped": len(fake.deliveries.dropped),
                "given_up": len(fake.deliveries.given_up),
            },
        }

    def knobs(self) -> dict[str, str]:
        """All there are, and what they do."""
        return {**OF_CALLS, **OF_WEBHOOKS}

    # Webhooks

    def register(self, url: str, secrets: list[str], *, types: list[str] | None = None, livemode: bool = False) -> None:
        """Where events go from now on. The same url again: its new secrets and types."""
        endpoints = self._fake.deliveries.endpoints
        endpoints[:] = [known for known in endpoints if (known.url, known.livemode) != (url, livemode)]
        endpoints.append(Endpoint(url, list(secrets), livemode, list(types or [])))

    def retry_after(self, *seconds: float) -> None:
        """The pauses before each further attempt of a webhook; none: it is tried once."""
        self._fake.deliveries.retry_after_s = seconds

    def cut_webhooks(self) -> None:
        """None arrives any more, not those under way either; they are lost, and events.list alone knows of them."""
        for endpoint in self._fake.deliveries.endpoints:
            endpoint.cut = True

    def restore_webhooks(self) -> None:
        """Those of later events arrive."""
        for endpoint in self._fake.deliveries.endpoints:
            endpoint.cut = False

    def sent(self, kind: str = "") -> list[dict[str, Any]]:
        """Every attempt in order: event, type, url, attempt, forged, status, answer."""
        return [entry for entry in self._fake.deliveries.log() if entry["type"].startswith(kind)]

    async def resend(self, event: str) -> list[int]:
        """As the button in the dashboard; the statuses."""
        found = self._fake.book_of(event).get("event", event)
        return [await self._fake.deliveries.send(endpoint, found) for endpoint in self._endpoints(found["livemode"])]

    async def forge(self, kind: str, event: str = "") -> dict[str, Any]:
        """One forgery of `event`, else of the newest; what was answered, in `status`."""
        book = self._fake.book_of(event)
        found = book.get("event", event) if event else book.kinds["event"][-1]
        return vars(await self._fake.deliveries.forge(kind, self._endpoints(book.livemode)[0], found))

    async def invent(self, identity: str) -> dict[str, Any]:
        """A well-signed event that says this session or intent was paid, though it was not."""
        book = self._fake.book_of(identity)
        event = book.base("event", "evt") | {
            "api_version": "2026-10-28.endive",
            "data": {"object": book.objects[identity]},
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": "",
        }
        return vars(await self._fake.deliveries.forge("invented", self._endpoints(book.livemode)[0], event))

    async def settle(self, within_s: float = 20.0) -> None:
        """Returns when no webhook is under way any more. Raises TimeoutError."""
        until = time.monotonic() + within_s
        quiet = 0
        while quiet < 2:
            if time.monotonic() > until:
                raise TimeoutError(f"{self._fake.deliveries.under_way} webhooks are still under way")
            quiet = 0 if self._fake.deliveries.under_way else quiet + 1
            await asyncio.sleep(0.01)

    # The customer and the banks

    def pay(self, session: str, card: str = "pm_card_visa") -> Json:
        """On the page of a session. A decline is told by the session, which stays open."""
        book = self._fake.book_of(session)
        try:
            checkout.pay(book, session, card)
        except Problem as problem:
            if problem.status != 402:
                raise
        return checkout.current(book, session)

    def authenticate(self, identity: str, *, passed: bool = True) -> Json:
        """Of a session, PaymentIntent or SetupIntent that requires it."""
        book = self._fake.book_of(identity)
        if identity.startswith("cs_"):
            return checkout.authenticate(book, identity, passed=passed)
        return pages.authenticate(book, identity, passed=passed)

    def finish_later(self, identity: str, *, paid: bool = True) -> Json:
        """The end of a session or intent whose method takes its time."""
        book = self._fake.book_of(identity)
        if identity.startswith("cs_"):
            return checkout.finish_later(book, identity, paid=paid)
        return intents.finish_later(book, book.get("payment_intent", identity), paid=paid)

    def card_behaves(self, payment_method: str, behaviour: str) -> None:
        """A card that a customer keeps, from now on: `succeeds`, a decline code, and the others in cards.py."""
        if behaviour not in cards.BEHAVIOURS:
            raise ValueError(f"no behaviour {behaviour}; there are {', '.join(sorted(cards.BEHAVIOURS))}")
        self._fake.book_of(payment_method).cards[payment_method] = behaviour

    def refund(self, charge: str, amount: int | None = None, *, status: str = "succeeded") -> Json:
        """As in the dashboard: nobody of ours asked for it."""
        book = self._fake.book_of(charge)
        found = book.get("charge", charge)
        left = found["amount"] - found["amount_refunded"]
        return returns.make_refund(book, found, left if amount is None else amount, {}, status=status)

    def refunds_wait(self, waiting: bool = True) -> None:
        """Refunds are pending until `end_refund`."""
        for book in self._fake.books.values():
            book.refunds_wait = waiting

    def end_refund(self, refund: str, status: str = "succeeded") -> Json:
        """`succeeded`, `failed`, also after it had succeeded, or `canceled`."""
        return returns.end_refund(self._fake.book_of(refund), refund, status)

    def dispute(self, charge: str, amount: int | None = None, reason: str = "fraudulent") -> Json:
        return returns.dispute(self._fake.book_of(charge), charge, amount=amount, reason=reason)

    def close_dispute(self, dispute: str, *, won: bool) -> Json:
        return returns.close_dispute(self._fake.book_of(dispute), dispute, won=won)

    # Time, keys, settings

    def advance(self, seconds: int) -> None:
        """Stripe's clock: keys are pruned after 24 hours, sessions expire. Signatures bear the real time."""
        self._fake.clock.ahead_s += seconds
        self._fake.keys.prune()
        for book in self._fake.books.values():
            checkout.expire_overdue(book)

    def revoke(self, api_key: str) -> None:
        self._fake.revoked.add(api_key)

    def tax(self, basis_points: int) -> None:
        """What automatic tax adds to what has no tax inside."""
        for book in self._fake.books.values():
            book.tax_basis_points = basis_points

    def search_lag(self, seconds: int) -> None:
        """Search does not see yet what is younger."""
        for book in self._fake.books.values():
            book.search_lag_s = seconds

    # What was really done

    def objects(self, kind: str, *, livemode: bool = False) -> list[Json]:
        """All of a kind (`payment_intent`, `checkout.session`, `event` …), oldest first."""
        return self._fake.books[livemode].kinds[kind]

    def charges(self, *, status: str = "succeeded", livemode: bool = False, **metadata: str) -> list[Json]:
        """Charges of this status with these metadata, oldest first; status "" for any."""
        found = self._fake.books[livemode].kinds["charge"]
        wanted = metadata.items()
        return [c for c in found if status in {"", c["status"]} and wanted <= c["metadata"].items()]

    def money(self, by: str = "order", *, livemode: bool = False) -> dict[str, dict[str, Any]]:
        """Order → currency, charges, taken, refunded, disputed, left; see money.py."""
        return money.shown(money.by_order(self._fake.books[livemode], by))

    def check_money(self, by: str = "order", *, once: bool = True, livemode: bool = False) -> dict[str, dict[str, Any]]:
        """The same, after it was checked: consistent, and (`once`) no order charged twice."""
        return money.shown(money.check(self._fake.books[livemode], by, once=once))

    def _endpoints(self, livemode: bool) -> list[Endpoint]:
        return [endpoint for endpoint in self._fake.deliveries.endpoints if endpoint.livemode == livemode]


def plain(value: Any) -> Any:
    """A copy that later changes of the fake do not change."""
    return orjson.loads(orjson.dumps(value))
