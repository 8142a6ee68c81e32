"""What a customer sees: Stripe's page to pay on, and a bank's page to authenticate on. Plain forms, no script."""

from collections.abc import Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.harness.stripe import cards, checkout, forms, intents, setups
from tests.harness.stripe.api import Fake
from tests.harness.stripe.book import Book, Json
from tests.harness.stripe.problems import Problem

ACTIONS = ("pay", "decline", "authenticate", "abandon")


def routes(fake: Fake) -> list[Route]:
    async def show(request: Request) -> Response:
        return _guarded(lambda: _page(fake, request.path_params["session"]))

    async def act(request: Request) -> Response:
        form = forms.parse((await request.body()).decode())
        session, action = request.path_params["session"], request.path_params["action"]
        return _guarded(lambda: _act(fake, session, action, form))

    async def bank(request: Request) -> Response:
        return _guarded(lambda: _bank(fake, request.path_params["intent"]))

    async def answer_bank(request: Request) -> Response:
        form = forms.parse((await request.body()).decode())
        return _guarded(lambda: _answer_bank(fake, request.path_params["intent"], passed=form.get("outcome") != "fail"))

    async def receipt(request: Request) -> Response:
        charge = request.path_params["charge"]
        found = fake.book_of(charge).get("charge", charge)
        return HTMLResponse(f"<title>Receipt</title><p>{found['amount']} {found['currency']}")

    return [
        Route("/c/pay/{session}", show),
        Route("/c/pay/{session}/{action}", act, methods=["POST"]),
        Route("/authenticate/{intent}", bank),
        Route("/authenticate/{intent}", answer_bank, methods=["POST"]),
        Route("/receipts/{charge}", receipt),
    ]


def _guarded(work: Callable[[], Response]) -> Response:
    try:
        return work()
    except Problem as problem:
        return HTMLResponse(f"<title>Checkout</title><p>{escape(str(problem))}", problem.status)


def _act(fake: Fake, session: str, action: str, form: Json) -> Response:
    book = fake.book_of(session)
    found = checkout.current(book, session)
    if action == "abandon":
        return RedirectResponse(found["cancel_url"] or f"/c/pay/{session}", 303)
    try:
        if action == "authenticate":
            checkout.authenticate(book, session, passed=form.get("outcome") != "fail")
        else:
            named = "pm_card_chargeDeclined" if action == "decline" else "pm_card_visa"
            checkout.pay(book, session, form.get("card") or named)
    except Problem as problem:
        if problem.status != 402:
            raise
    if found["status"] == "complete":
        return RedirectResponse((found["success_url"] or "/").replace("{CHECKOUT_SESSION_ID}", session), 303)
    return RedirectResponse(f"/c/pay/{session}", 303)


def _page(fake: Fake, session: str) -> Response:
    book = fake.book_of(session)
    found = checkout.current(book, session)
    if found["status"] != "open":
        return HTMLResponse(f"<title>Checkout</title><p>This page is {found['status']}.", 410)
    intent = book.objects.get(found["payment_intent"] or found["setup_intent"] or "", {})
    error = intent.get("last_payment_error") or intent.get("last_setup_error")
    said = f'<p role="alert">{escape(error["message"])}</p>' if error else ""
    if intent.get("status") == "requires_action":
        body = _bank_form(f"/c/pay/{session}/authenticate")
    else:
        body = _pay_form(session)
    lines = "".join(
        f"<li>{escape(str(line['description']))} × {line['quantity']}: {line['amount_total']} {line['currency']}"
        for line in book.objects[f"line_items:{session}"]["data"]
    )
    total = f"<p>Total {found['amount_total']} {found['currency']}" if lines else "<p>Save a payment method"
    return HTMLResponse(
        f"<!doctype html><title>Checkout</title><h1>Fake Stripe</h1><ul>{lines}</ul>{total}{said}{body}"
    )


def _pay_form(session: str) -> str:
    options = "".join(f"<option>{name}" for name in cards.CARDS)
    return (
        f'<form method="post" action="/c/pay/{session}/pay"><label>Card <select name="card">{options}</select></label>'
        f"<button>Pay</button></form>"
        f'<form method="post" action="/c/pay/{session}/decline"><button>Be declined</button></form>'
        f'<form method="post" action="/c/pay/{session}/abandon"><button>Go back</button></form>'
    )


def _bank_form(action: str) -> str:
    return (
        f'<form method="post" action="{action}"><p>Your bank wants to know that it is you.</p>'
        '<button name="outcome" value="pass">Complete authentication</button>'
        '<button name="outcome" value="fail">Fail authentication</button></form>'
    )


def _bank(fake: Fake, intent: str) -> Response:
    return HTMLResponse(f"<!doctype html><title>Bank</title>{_bank_form(f'/authenticate/{intent}')}")


def _answer_bank(fake: Fake, intent: str, *, passed: bool) -> Response:
    found = authenticate(fake.book_of(intent), intent, passed=passed)
    return HTMLResponse(f"<!doctype html><title>Bank</title><p>{found['status']}")


def authenticate(book: Book, intent: str, *, passed: bool) -> Json:
    """Of a PaymentIntent or SetupIntent; when a page of Checkout started it, by way of that."""
    for session in book.newest_first("checkout.session"):
        if intent in {session["payment_intent"], session["setup_intent"]} and session["status"] == "open":
            checkout.authenticate(book, session["id"], passed=passed)
            return book.objects[intent]
    if intent.startswith("seti_"):
        return setups.authenticate(book, book.get("setup_intent", intent), passed=passed)
    return intents.authenticate(book, book.get("payment_intent", intent), passed=passed)
