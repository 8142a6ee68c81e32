"""`GET /payments/done`: where a customer of Stripe ends whom nobody said where to send back to. It says nothing of the
payment itself: whoever reads its address may have written it."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{title}</title></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>
"""
_SAID = {
    "success": ("Thank you", "Your payment is being confirmed. You can close this page."),
    "canceled": ("Nothing was paid", "You can close this page, or go back and try again."),
}


async def done_page(request: Request) -> Response:
    result = request.query_params.get("scrip_result") or request.query_params.get("scrip_setup") or "success"
    title, text = _SAID["canceled" if result == "canceled" else "success"]
    headers = {
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return HTMLResponse(_PAGE.format(title=title, text=text), headers=headers)
