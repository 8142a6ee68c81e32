"""Which call is whose: method, path, the name that knobs know it by, what does it, and the library's list of parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stripe import params
from stripe.params import checkout as checkout_params

from tests.harness.stripe import cards, charging, checkout, customers, intents, listing, returns, setups
from tests.harness.stripe.amounts import SUPPORTED
from tests.harness.stripe.book import Book, Json

Handler = Callable[..., Json]


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    name: str
    handler: Handler
    parameters: frozenset[str] | None


def _call(method: str, path: str, name: str, handler: Handler, typed: Any) -> Call:
    known = frozenset(typed.__annotations__) | {"expand"} if typed else None
    return Call(method, f"/v1{path}", name, handler, known)


def _get(kind: str, param: str) -> Handler:
    def retrieve(book: Book, _form: Json, **path: str) -> Json:
        return book.get(kind, path[param], param=param)

    return retrieve


def _list(kind: str, path: str, *among: str) -> Handler:
    def listed(book: Book, form: Json) -> Json:
        return listing.page(book, kind, form, url=f"/v1{path}", among=among)

    return listed


def _search(kind: str, path: str) -> Handler:
    def found(book: Book, form: Json) -> Json:
        return listing.search(book, kind, form, url=f"/v1{path}/search")

    return found


def _account(book: Book, _form: Json, account: str = "") -> Json:
    return {
        "id": account or book.account,
        "object": "account",
        "business_profile": {"name": "Fake"},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "fake@example.com",
        "payouts_enabled": True,
        "type": "standard",
    }


def _country(_book: Book, _form: Json, country: str) -> Json:
    return {"id": country, "object": "country_spec", "supported_payment_currencies": sorted(SUPPORTED)}


def _attach(book: Book, form: Json, payment_method: str) -> Json:
    return cards.attach(book, cards.method_of(book, payment_method), form.get("customer", ""))


def _detach(book: Book, _form: Json, payment_method: str) -> Json:
    return cards.detach(book, book.get("payment_method", payment_method, param="payment_method"))


def _method(book: Book, _form: Json, payment_method: str) -> Json:
    return cards.method_of(book, payment_method)


def _methods_of(book: Book, form: Json, customer: str) -> Json:
    book.get("customer", customer, param="customer")
    url = f"/v1/customers/{customer}/payment_methods"
    return listing.page(book, "payment_method", {**form, "customer": customer}, url=url, among=("customer", "type"))


def _methods(book: Book, form: Json) -> Json:
    if not form.get("customer"):
        return {"object": "list", "data": [], "has_more": False, "url": "/v1/payment_methods"}
    return listing.page(book, "payment_method", form, url="/v1/payment_methods", among=("customer", "type"))


def _lines(book: Book, _form: Json, session: str) -> Json:
    book.get("checkout.session", session, param="session")
    return listing.line_items(book, session)


def _sessions(book: Book, form: Json) -> Json:
    checkout.expire_overdue(book)
    among = ("customer", "payment_intent", "status")
    return listing.page(book, "checkout.session", form, url="/v1/checkout/sessions", among=among)


def _balance(book: Book, _form: Json) -> Json:
    return charging.balance(book)


P, S = params, checkout_params
INTENT, SETUP, SESSION = "/payment_intents/{intent}", "/setup_intents/{intent}", "/checkout/sessions/{session}"
METHOD, CUSTOMER, DISPUTE = "/payment_methods/{payment_method}", "/customers/{customer}", "/disputes/{dispute}"
REFUND = "/refunds/{refund}"
CALLS = [
    _call("POST", "/customers", "customers.create", customers.create, P.CustomerCreateParams),
    _call("GET", "/customers", "customers.list", _list("customer", "/customers", "email"), P.CustomerListParams),
    _call("GET", "/customers/search", "customers.search", _search("customer", "/customers"), P.CustomerSearchParams),
    _call("GET", CUSTOMER, "customers.retrieve", _get("customer", "customer"), P.CustomerRetrieveParams),
    _call("POST", CUSTOMER, "customers.update", customers.update, P.CustomerUpdateParams),
    _call(
        "GET", f"{CUSTOMER}/payment_methods", "payment_methods.list", _methods_of, P.CustomerListPaymentMethodsParams
    ),
    _call("POST", "/payment_intents", "payment_intents.create", intents.create, P.PaymentIntentCreateParams),
    _call(
        "GET",
        "/payment_intents",
        "payment_intents.list",
        _list("payment_intent", "/payment_intents", "customer"),
        P.PaymentIntentListParams,
    ),
    _call(
        "GET",
        "/payment_intents/search",
        "payment_intents.search",
        _search("payment_intent", "/payment_intents"),
        P.PaymentIntentSearchParams,
    ),
    _call("GET", INTENT, "payment_intents.retrieve", _get("payment_intent", "intent"), P.PaymentIntentRetrieveParams),
    _call("POST", INTENT, "payment_intents.update", intents.update, P.PaymentIntentUpdateParams),
    _call("POST", f"{INTENT}/confirm", "payment_intents.confirm", intents.confirm_by_id, P.PaymentIntentConfirmParams),
    _call("POST", f"{INTENT}/cancel", "payment_intents.cancel", intents.cancel, P.PaymentIntentCancelParams),
    _call("POST", "/setup_intents", "setup_intents.create", setups.create, P.SetupIntentCreateParams),
    _call("GET", SETUP, "setup_intents.retrieve", _get("setup_intent", "intent"), P.SetupIntentRetrieveParams),
    _call("POST", f"{SETUP}/confirm", "setup_intents.confirm", setups.confirm_by_id, P.SetupIntentConfirmParams),
    _call("POST", f"{SETUP}/cancel", "setup_intents.cancel", setups.cancel, P.SetupIntentCancelParams),
    _call("POST", "/checkout/sessions", "checkout.sessions.create", checkout.create, S.SessionCreateParams),
    _call("GET", "/checkout/sessions", "checkout.sessions.list", _sessions, S.SessionListParams),
    _call("GET", SESSION, "checkout.sessions.retrieve", checkout.retrieve, S.SessionRetrieveParams),
    _call("POST", SESSION, "checkout.sessions.update", checkout.update, S.SessionUpdateParams),
    _call("POST", f"{SESSION}/expire", "checkout.sessions.expire", checkout.expire, S.SessionExpireParams),
    _call("GET", f"{SESSION}/line_items", "checkout.sessions.line_items", _lines, S.SessionListLineItemsParams),
    _call(
        "GET", "/charges", "charges.list", _list("charge", "/charges", "customer", "payment_intent"), P.ChargeListParams
    ),
    _call("GET", "/charges/search", "charges.search", _search("charge", "/charges"), P.ChargeSearchParams),
    _call("GET", "/charges/{charge}", "charges.retrieve", _get("charge", "charge"), P.ChargeRetrieveParams),
    _call("POST", "/refunds", "refunds.create", returns.refund, P.RefundCreateParams),
    _call(
        "GET", "/refunds", "refunds.list", _list("refund", "/refunds", "charge", "payment_intent"), P.RefundListParams
    ),
    _call("GET", REFUND, "refunds.retrieve", _get("refund", "refund"), P.RefundRetrieveParams),
    _call("POST", REFUND, "refunds.update", returns.update, P.RefundUpdateParams),
    _call("POST", f"{REFUND}/cancel", "refunds.cancel", returns.cancel_refund, P.RefundCancelParams),
    _call(
        "GET",
        "/disputes",
        "disputes.list",
        _list("dispute", "/disputes", "charge", "payment_intent"),
        P.DisputeListParams,
    ),
    _call("GET", DISPUTE, "disputes.retrieve", _get("dispute", "dispute"), P.DisputeRetrieveParams),
    _call("POST", DISPUTE, "disputes.update", returns.submit, P.DisputeUpdateParams),
    _call("POST", f"{DISPUTE}/close", "disputes.close", returns.concede, P.DisputeCloseParams),
    _call("GET", "/payment_methods", "payment_methods.list", _methods, P.PaymentMethodListParams),
    _call("GET", METHOD, "payment_methods.retrieve", _method, P.PaymentMethodRetrieveParams),
    _call("POST", f"{METHOD}/attach", "payment_methods.attach", _attach, P.PaymentMethodAttachParams),
    _call("POST", f"{METHOD}/detach", "payment_methods.detach", _detach, P.PaymentMethodDetachParams),
    _call("GET", "/events", "events.list", listing.events, P.EventListParams),
    _call("GET", "/events/{event}", "events.retrieve", _get("event", "event"), P.EventRetrieveParams),
    _call("GET", "/account", "account.retrieve", _account, None),
    _call("GET", "/accounts/{account}", "account.retrieve", _account, None),
    _call("GET", "/country_specs/{country}", "country_specs.retrieve", _country, P.CountrySpecRetrieveParams),
    _call("GET", "/balance", "balance.retrieve", _balance, P.BalanceRetrieveParams),
    _call(
        "GET",
        "/balance_transactions/{line}",
        "balance_transactions.retrieve",
        _get("balance_transaction", "line"),
        P.BalanceTransactionRetrieveParams,
    ),
]
