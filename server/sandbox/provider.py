"""The sandbox as a `Provider`: what Scrip asks of it, and the acts by which a person, or a test, plays the outside world.

Each verb is one short database transaction in the sandbox's own tables. An order's id is its idempotency key: whoever
asks again, whatever was lost in between, finds the same payment.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from credits import ids
from credits.db import Database
from credits.errors import Unavailable
from credits.recharge.provider import (
    Method,
    Mode,
    Order,
    Payer,
    Payment,
    ProviderName,
    ProviderRefused,
    ProviderUnavailable,
    Setup,
)
from credits.recharge.top_ups import Place, place_of
from server.clock import real_now
from server.sandbox import store
from server.sandbox.payments import (
    LIVES,
    Act,
    DisputeAct,
    MethodKind,
    Refused,
    SandboxMethod,
    SandboxPayment,
    act_on,
    charged,
    dispute_of,
    method_number,
    paid_back,
    refund_of,
)
from server.sandbox.setup_links import SetupLinks
from server.settings import Settings


class Sandbox:
    """`public_url` is where browsers reach this server, without a slash at its end; `real_now` the real time.
    `refuse_writes` is asked before anything is written: see `Writer`."""

    name: ProviderName = "sandbox"
    live = False

    def __init__(
        self,
        database: Database,
        *,
        public_url: str,
        secret_key: str,
        real_now: Callable[[], datetime],
        refuse_writes: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._public_url = public_url
        self._now = real_now
        self._refuse_writes = refuse_writes
        self.links = SetupLinks(secret_key)

    # ─── what a provider is asked ────────────────────────────────────────────────────────────────────────
    async def know(self, payer: Payer) -> str:
        return _payer_id(payer.customer_id)

    async def start(self, order: Order) -> Payment:
        """Every mode that has somebody there gets the hosted page: the sandbox has no form for a page of others."""
        async with self._writing(order.payer.workspace_id) as connection:
            return await self._placed(connection, order, self._new(order, self._now()))

    async def charge(self, order: Order) -> Payment:
        async with self._writing(order.payer.workspace_id) as connection:
            if await store.read_payment(connection, _place(order)) is None:
                payment = charged(self._new(order, self._now()), (await self._method(connection, order)).kind)
            else:
                payment = self._new(order, self._now())  # compared with what is there, and no more
            return await self._placed(connection, order, payment)

    async def read(self, order: Order) -> Payment | None:
        async with self._reading(order.payer.workspace_id) as connection:
            payment = await store.read_payment(connection, _place(order))
            return None if payment is None else await self._told(connection, payment)

    async def cancel(self, order: Order) -> Payment | None:
        async with self._writing(order.payer.workspace_id) as connection:
            payment = await store.read_payment(connection, _place(order), lock=True)
            if payment is None:
                return None
            await self._apply(connection, payment, "cancel")
            return await self._read_again(connection, payment.place)

    async def refund(self, order: Order, refund_id: str, amount: int, reason: str) -> Payment:  # noqa: ARG002 -- told to nobody
        async with self._writing(order.payer.workspace_id) as connection:
            payment = await store.read_payment(connection, _place(order), lock=True)
            if payment is None:
                raise ProviderRefused("the sandbox knows no such payment")
            paybacks = await store.read_paybacks(connection, payment.place)
            new = refund_of(payment, paybacks, refund_id, amount)
            if isinstance(new, Refused):
                raise ProviderRefused(new.message)
            if new is not None:
                now = self._now()
                await store.put_payback(connection, order.payer.workspace_id, payment.place, new, now)
                await self._count_paid_back(connection, payment, now)
            return await self._read_again(connection, payment.place)

    async def set_up(self, payer: Payer, mode: Mode, return_url: str | None) -> Setup:  # noqa: ARG002 -- hosted always
        token = self.links.make(payer.workspace_id, payer.customer_id, return_url, self._now())
        return Setup(f"{self._public_url}/sandbox/setup/{token}", None)

    async def methods(self, payer: Payer) -> tuple[Method, ...]:
        async with self._reading(payer.workspace_id) as connection:
            saved = await store.read_methods(connection, payer.customer_id)
            return tuple(method.told(is_default=method == saved[0]) for method in saved)

    # ─── how a person, or a test, plays the outside world ────────────────────────────────────────────────
    async def act(self, workspace_id: int, place: Place, act: Act, seen: int | None = None) -> Refused | None:
        """Pays, declines, asks for authentication, or cancels. None: it is so now. `seen` is the version that somebody
        was shown: what has changed since is left as it is, so that a click too many does nothing."""
        async with self._writing(workspace_id) as connection:
            payment = await store.read_payment(connection, place, lock=True)
            if payment is None:
                return Refused("there is no such payment")
            if seen is not None and payment.version != seen:
                return Refused("the payment has changed meanwhile")
            return await self._apply(connection, payment, act)

    async def dispute(self, workspace_id: int, place: Place, act: DisputeAct) -> Refused | None:
        """The customer's bank takes the money back, gives it up again, or keeps it. None: it is so now."""
        async with self._writing(workspace_id) as connection:
            payment = await store.read_payment(connection, place, lock=True)
            if payment is None:
                return Refused("there is no such payment")
            changed = dispute_of(payment, await store.read_paybacks(connection, place), act)
            if isinstance(changed, Refused) or changed is None:
                return changed
            now = self._now()
            await store.put_payback(connection, workspace_id, place, changed, now)
            await self._count_paid_back(connection, payment, now)
            return None

    async def save_method(self, workspace_id: int, customer_id: int, kind: MethodKind) -> Method | None:
        """Saves a card as the default; None where there is no such customer, or not in a test workspace."""
        async with self._writing(workspace_id) as connection:
            if not await store.is_test(connection):
                return None
            saved = await store.save_method(connection, workspace_id, customer_id, kind, self._now())
            return None if saved is None else saved.told(is_default=True)

    # ─── within ──────────────────────────────────────────────────────────────────────────────────────────
    def _new(self, order: Order, now: datetime) -> SandboxPayment:
        customer_id, number = _place(order)
        return SandboxPayment(
            customer_id=customer_id,
            number=number,
            subtotal=order.price,
            paid_back=0,
            currency=order.currency,
            name=order.name,
            quantity=order.quantity,
            state="PENDING",
            mode=order.mode,
            return_url=order.return_url,
            method=order.method,
            failure=None,
            decline_code=None,
            version=1,
            created_at=now,
            expires_at=now + LIVES,
        )

    async def _placed(self, connection: AsyncConnection, order: Order, payment: SandboxPayment) -> Payment:
        """The order's payment: this one, or the one that it has."""
        if not await store.is_test(connection):
            raise ProviderRefused("the sandbox takes orders of test workspaces alone")
        await store.add_payment(connection, order.payer.workspace_id, payment)
        placed = await store.read_payment(connection, payment.place)
        if placed is None:
            raise ProviderRefused("the order is another workspace's")
        if (placed.subtotal, placed.currency, placed.mode) != (payment.subtotal, payment.currency, payment.mode):
            raise ProviderRefused("the order was placed before with another price, currency or mode")
        return await self._told(connection, placed)

    async def _method(self, connection: AsyncConnection, order: Order) -> SandboxMethod:
        number = method_number(order.method, order.payer.customer_id)
        found = None if number is None else await store.find_method(connection, order.payer.customer_id, number)
        if found is None:
            raise ProviderRefused("the customer has no such payment method")
        return found

    async def _apply(self, connection: AsyncConnection, payment: SandboxPayment, act: Act) -> Refused | None:
        now = self._now()
        changed = act_on(payment, act, now)
        if isinstance(changed, Refused):
            return changed
        if changed != payment:
            await store.change_payment(connection, changed, now)
        return None

    async def _count_paid_back(self, connection: AsyncConnection, payment: SandboxPayment, now: datetime) -> None:
        taken = paid_back(await store.read_paybacks(connection, payment.place))
        await store.change_payment(connection, replace(payment, paid_back=taken), now)

    async def _read_again(self, connection: AsyncConnection, place: Place) -> Payment:
        payment = await store.read_payment(connection, place)
        if payment is None:
            raise ProviderUnavailable("the payment is gone")
        return await self._told(connection, payment)

    async def _told(self, connection: AsyncConnection, payment: SandboxPayment) -> Payment:
        """All that is known of it, as a provider says it. There is no tax in the sandbox."""
        current = payment.at(self._now())
        page = f"{self._public_url}/sandbox/checkout/{payment.order_id}"
        paid = current.state == "SUCCEEDED"
        to_be_opened = current.state in ("PENDING", "REQUIRES_ACTION") or current.mode != "OFF_SESSION"
        return Payment(
            state=current.state,
            order_id=payment.order_id,
            subtotal=current.subtotal,
            paid=current.subtotal if paid else None,
            currency=current.currency,
            payer_id=_payer_id(current.customer_id),
            live=False,
            session=f"sandbox_cs_{payment.order_id}",
            payment=f"sandbox_pi_{payment.order_id}",
            checkout_url=page if to_be_opened else None,
            receipt_url=page if paid else None,
            failure=current.failure,
            decline_code=current.decline_code,
            paybacks=tuple(each.told(payment.place) for each in await store.read_paybacks(connection, payment.place)),
        )

    @asynccontextmanager
    async def _writing(self, workspace_id: int) -> AsyncIterator[AsyncConnection]:
        if self._refuse_writes():
            raise ProviderUnavailable("writes are refused: too little free disk space")
        try:
            async with self._database.transaction(workspace_id) as connection:
                yield connection
        except Unavailable as error:
            raise ProviderUnavailable(str(error)) from error

    @asynccontextmanager
    async def _reading(self, workspace_id: int) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._database.view(workspace_id) as connection:
                yield connection
        except Unavailable as error:
            raise ProviderUnavailable(str(error)) from error


def _payer_id(customer_id: int) -> str:
    return f"sandbox_{ids.make('cus', customer_id)}"


def _place(order: Order) -> Place:
    place = place_of(order.id)
    if place is None or place[0] != order.payer.customer_id:
        raise ProviderRefused(f"{order.id!r} is no order of this customer")
    return place


def open_sandbox(database: Database, settings: Settings, refuse_writes: Callable[[], bool] = lambda: False) -> Sandbox:
    """The sandbox of this process: it has no state of its own."""
    return Sandbox(
        database,
        public_url=settings.public_url,
        secret_key=settings.secret_key,
        real_now=real_now,
        refuse_writes=refuse_writes,
    )
