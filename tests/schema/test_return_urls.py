"""X9: a payment page leads back to where the host says, and with a customer's token nowhere else."""

import pytest

from schema.context import Caller
from schema.return_urls import problem_of

KEY = Caller("API_KEY", 1, "key_1", role="BACKEND")


def token(*origins: str, host: str | None = "pay.example") -> Caller:
    return Caller("CUSTOMER", 1, "cus_1", customer_id=1, origins=origins, host=host)


NEVER = [
    *(
        "",
        " ",
        "javascript:alert(1)",
        "data:text/html,x",
        "//shop.example",
        "/here",
        "shop.example",
        "ftp://shop.example",
    ),
    *("https://", "https:///x", "https:shop.example", "https:/shop.example", "https://a@shop.example/"),
    *(
        "https://shop.example@evil.example",
        "https://a:b@shop.example",
        "https:\\\\shop.example",
        "https://shop.example\\@evil",
    ),
    *("https://shop.example:x", "https://shop.example:99999", "https://sh\top.example", "https://shop.example/ a"),
    *(
        "\nhttps://shop.example",
        "https://shop.example/\0",
        "https://shöp.example",
        "https://shop.example/" + "x" * 2_000,
    ),
    *("HTTPS:javascript", "file:///etc/passwd", "blob:https://shop.example/1", "https://[::1"),
]
SHOP = "https://shop.example"


@pytest.mark.parametrize("url", NEVER)
def test_what_is_no_plain_web_address_is_refused_to_everybody(url: str):
    for caller in (KEY, token(SHOP)):
        problem = problem_of(url, caller, [SHOP])
        assert problem is not None
        assert problem.field == "returnUrl"


@pytest.mark.parametrize(
    ("url", "caller", "allowed", "taken"),
    [
        ("https://anywhere.example/x?y#z", KEY, (), True),
        ("http://anywhere.example:8080", KEY, (), True),
        ("https://shop.example/done", token(SHOP), (), True),
        ("https://SHOP.example:443/done", token(SHOP), (), True),
        ("https://shop.example/done", token(), (SHOP,), True),
        ("https://pay.example/demo", token(), (), True),  # our own
        ("http://localhost:8000/demo", token(host="localhost:8000"), (), True),
        ("http://127.0.0.1:8000/demo", token(host="127.0.0.1:8000"), (), True),
        ("http://pay.example/demo", token(), (), False),  # our own, but anybody on the way may read it
        ("http://localhost:8001/demo", token(host="localhost:8000"), (), False),
        ("http://shop.example/done", token(SHOP), (), False),
        ("https://shop.example:444/done", token(SHOP), (), False),
        ("https://shop.example.evil.example/", token(SHOP), (SHOP,), False),
        ("https://evil.example/?https://shop.example", token(SHOP), (), False),
        ("https://evil.example/", token(), (), False),
        ("https://pay.example/", token(host=None), (), False),
        ("https://pay.example/", token(host="a@pay.example"), (), False),
    ],
)
def test_where_a_payment_may_lead_back_to(url: str, caller: Caller, allowed: tuple[str, ...], taken: bool):
    assert (problem_of(url, caller, allowed) is None) == taken


def test_none_is_none():
    assert problem_of(None, token(), ()) is None
