"""Customer tokens: what we mint is taken for its time, and nothing else is ever taken."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from schema.permission import DEFAULT_SCOPES
from server.tokens import (
    AUDIENCE,
    ISSUER,
    LEEWAY_S,
    TTL_S_MAX,
    TokenKey,
    TokenRefused,
    mint_token,
    minter,
    verify_token,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
KEY = TokenKey("the secret key of this server, long enough")
OTHER = TokenKey("the secret key of another server, long too")


def minted(**changed: Any) -> str:
    values: dict[str, Any] = {"workspace_id": 7, "customer_id": 42, "scopes": DEFAULT_SCOPES, "ttl_s": 600, "now": NOW}
    return mint_token(KEY, **{**values, **changed})[0]


def forged(key: TokenKey = KEY, headers: dict[str, Any] | None = None, algorithm: str = "HS256", **changed: Any) -> str:
    """A token signed with our key that says something else; a claim of None is left out."""
    issued = int(NOW.timestamp())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "cus_16", "ws": 7, "iat": issued, "exp": issued + 600, "jti": "x"}
    claims |= {"scopes": ["balance:read"], **changed}
    header = {"typ": "JWT", "alg": algorithm, "kid": key.id, **(headers or {})}
    parts = [{name: value for name, value in part.items() if value is not None} for part in (header, claims)]
    text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}.get(algorithm)
    return f"{text}.{base64url(hmac.digest(key.key, text.encode(), digest)) if digest else ''}"


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_a_minted_token_says_what_it_was_minted_for():
    token, expires_at = mint_token(
        KEY, workspace_id=7, customer_id=42, scopes=["ledger:read"], ttl_s=90, origins=["https://a.example"], now=NOW
    )
    claims = verify_token(token, [OTHER, KEY], NOW)
    assert (claims.workspace_id, claims.customer_id, claims.subject) == (7, 42, "cus_16")
    assert claims.scopes == {"ledger:read"}
    assert claims.origins == ("https://a.example",)
    assert claims.expires_at == expires_at == datetime(2026, 1, 1, 12, 1, 30, tzinfo=UTC)
    assert minted() != minted()


@pytest.mark.parametrize(
    ("after_s", "valid"),
    [
        (-LEEWAY_S, True),
        (-LEEWAY_S - 1, False),
        (0, True),
        (599, True),
        (600 + LEEWAY_S - 1, True),
        (600 + LEEWAY_S, False),
    ],
)
def test_a_token_is_taken_from_its_issue_to_its_end_with_a_leeway(after_s: int, valid: bool):
    token, at = minted(), NOW + timedelta(seconds=after_s)
    if valid:
        assert verify_token(token, [KEY], at).customer_id == 42
    else:
        with pytest.raises(TokenRefused):
            verify_token(token, [KEY], at)


def test_a_token_lives_fifteen_minutes_at_most():
    minted(ttl_s=TTL_S_MAX)
    for ttl_s in [0, -1, TTL_S_MAX + 1]:
        with pytest.raises(ValueError, match="lives"):
            minted(ttl_s=ttl_s)


TEN_YEARS_S = 10 * 365 * 86_400
REFUSED: dict[str, str] = {
    "A1 no algorithm": forged(algorithm="none"),
    "A1 no algorithm, spelt otherwise": forged(algorithm="NONE"),
    "A1 HS512": forged(algorithm="HS512"),
    "A1 HS384": forged(algorithm="HS384"),
    "A1 RS256, signed with something": forged(algorithm="RS256") + "A" * 342,
    "A1 HS256, signed with nothing": forged().rpartition(".")[0] + ".",
    "A1 the header says HS256, the key id is a path": forged(headers={"kid": "../../dev/null"}),
    "A1 another server's key": forged(OTHER),
    "A1 our key id, another's key": forged(OTHER, headers={"kid": KEY.id}),
    "A1 no key id": forged(headers={"kid": None}),
    "A1 a key brought along": forged(OTHER, headers={"jwk": {"kty": "oct", "k": "AA"}, "kid": KEY.id}),
    "A1 an unknown critical header": forged(headers={"crit": ["b64"], "b64": False}),
    "A1 too long": forged(filler="x" * 4_096),
    "A1 cut": minted()[:-4],
    "A1 another payload": ".".join([*forged().split(".")[:1], *minted(customer_id=1).split(".")[1:]])[:-2] + "AA",
    "A1 nothing": "",
    "A1 dots": "..",
    "A1 not ASCII": "é.é.é",
    **{f"A2 no {claim}": forged(**{claim: None}) for claim in ["exp", "iat", "aud", "iss", "sub", "jti", "ws", "scopes"]},
    "A3 ten years": forged(exp=int(NOW.timestamp()) + TEN_YEARS_S),
    "A3 issued long ago, and still not ended": forged(iat=int(NOW.timestamp()) - TEN_YEARS_S),
    "A3 fifteen minutes and a second": forged(exp=int(NOW.timestamp()) + TTL_S_MAX + 1),
    "A3 ended before it was issued": forged(exp=int(NOW.timestamp()) - 1),
    "A3 times as text": forged(exp=str(int(NOW.timestamp()) + 60)),
    "A3 times as fractions": forged(exp=int(NOW.timestamp()) + 60.5),
    "A3 a time of true": forged(iat=True, exp=1),
    "A3 a time beyond all time": forged(exp=10**30),
    "A4 a list of audiences with ours in it": forged(aud=[AUDIENCE, "other"]),
    "A4 a list of ours": forged(aud=[AUDIENCE]),
    "A4 another audience": forged(aud="scrip-console"),
    "A4 another issuer": forged(iss="somebody"),
    "a customer out of form": forged(sub="cus_"),
    "a key as its subject": forged(sub="key_1"),
    "a subject that is a number": forged(sub=42),
    "a workspace as text": forged(ws="7"),
    "a workspace of true": forged(ws=True),
    "scopes as text": forged(scopes="balance:read"),
    "scopes of numbers": forged(scopes=[1]),
    "origins as text": forged(origins="https://a.example"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_every_other_token_is_refused(name: str):
    with pytest.raises(TokenRefused):
        verify_token(REFUSED[name], [KEY], NOW)


def test_the_forger_of_these_tests_makes_valid_ones_too():
    assert verify_token(forged(), [KEY], NOW).customer_id == 42


def test_a_scope_that_is_none_of_ours_opens_nothing():
    assert verify_token(forged(scopes=["ledger:read", "ledger:write", "*"]), [KEY], NOW).scopes == {"ledger:read"}


def test_the_signing_key_is_not_the_setting_itself():
    secret = "the secret key of this server, long enough"
    claims = jwt.decode(forged(), options={"verify_signature": False})
    direct = jwt.encode(claims, secret, algorithm="HS256", headers={"kid": KEY.id})
    with pytest.raises(TokenRefused):
        verify_token(direct, [KEY], NOW)
    assert secret not in minted()


def test_a_minter_goes_by_real_time():
    token, expires_at = minter("k" * 40)(
        workspace_id=1, customer_id=2, subject="cus_2", scopes=[], ttl_s=60, origins=[]
    )
    now = datetime.now(UTC)
    assert timedelta(seconds=50) < expires_at - now <= timedelta(seconds=60)
    assert verify_token(token, [TokenKey("k" * 40)], now).customer_id == 2
