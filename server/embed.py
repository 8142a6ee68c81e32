"""`/embed/…`: the built bundle, for pages of any origin.

`/embed/v1.js` floats with a short cache; `/embed/{version}/…` never changes and may be kept for a year, with an SRI
hash in `/embed/manifest.json`, which also says what is current. Versions that pages may have pinned stay beside it.
`/embed/docs` is the page for developers: every element live, on a fake Scrip in the page.
Everything is read once, at start: the whole bundle is a few hundred kilobytes.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_HERE = Path(__file__).parent
_FLOATING = "v1.js"
_DOCS = "docs"
_FLOATS_S = 300
_FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".css": "text/css; charset=utf-8",
    ".ts": "text/plain; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
}
# A page that asks of others to be strict is so itself.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types scrip"
)
_PAGE_HEADERS = {"content-security-policy": _POLICY, "referrer-policy": "no-referrer"}
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))  # the smaller one first
_HEADERS = {
    "access-control-allow-origin": "*",
    # Pages that isolate themselves (COEP) load nothing across origins that does not say so.
    "cross-origin-resource-policy": "cross-origin",
    "timing-allow-origin": "*",
    "x-content-type-options": "nosniff",
    "vary": "accept-encoding",
}


@dataclass(frozen=True, slots=True)
class _File:
    """One file as it is sent: its encodings, best first, and how long it may be kept."""

    encoded: tuple[tuple[str, bytes], ...]
    content_type: str
    digest: str
    cache: str


def folder() -> Path:
    """The built bundle: beside the sources in a checkout, inside the package when installed from a wheel."""
    checkout = _HERE.parent / "frontend_embed" / "dist"
    return checkout if checkout.exists() else _HERE / "embed_dist"


def create_embed_routes(dist: Path | None = None) -> list[BaseRoute]:
    """The routes of the bundle in `dist`."""
    files = _read(dist or folder())

    async def send(request: Request) -> Response:
        found = files.get(request.path_params["path"])
        if found is None:
            return Response("not found", status_code=404, headers=_HEADERS)
        return _answer(request, found)

    return [Route("/embed/{path:path}", send, methods=["GET", "HEAD"])]


def _read(dist: Path) -> dict[str, _File]:
    """Every file by its path under `/embed/`; the floating script is the one of the version that is current."""
    files: dict[str, _File] = {}
    for path in sorted(dist.rglob("*")):
        if not path.is_file() or path.suffix in {".br", ".gz"}:
            continue
        name = path.relative_to(dist).as_posix()
        is_pinned = "/" in name and not name.startswith(f"{_DOCS}/")
        files[name] = _file(path, _FOR_EVER if is_pinned else f"public, max-age={_FLOATS_S}")
    if "manifest.json" in files:  # a checkout in which nothing has been built yet has none
        current = json.loads((dist / "manifest.json").read_bytes())["version"]
        files[_FLOATING] = _file(dist / current / "embed.js", f"public, max-age={_FLOATS_S}")
    if page := files.get(f"{_DOCS}/index.html"):
        files[_DOCS] = files[f"{_DOCS}/"] = page
    return files


def _file(path: Path, cache: str) -> _File:
    plain = path.read_bytes()
    compressed = [(name, path.with_name(path.name + suffix)) for name, suffix in _ENCODINGS]
    encoded = [(name, other.read_bytes()) for name, other in compressed if other.exists()]
    digest = hashlib.sha256(plain).hexdigest()[:32]
    content_type = _TYPES.get(path.suffix, "application/octet-stream")
    return _File((*encoded, ("identity", plain)), content_type, digest, cache)


def _answer(request: Request, found: _File) -> Response:
    encoding, body = next(item for item in found.encoded if item[0] in (*_accepted(request), "identity"))
    etag = f'"{found.digest}-{encoding}"'  # other bytes, other tag
    headers = _HEADERS | {"cache-control": found.cache, "etag": etag, "content-type": found.content_type}
    if found.content_type.startswith("text/html"):
        headers |= _PAGE_HEADERS
    if encoding != "identity":
        headers["content-encoding"] = encoding
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(b"" if request.method == "HEAD" else body, headers=headers | {"content-length": str(len(body))})


def _accepted(request: Request) -> set[str]:
    """The encodings that the browser takes; `q=0` is a no."""
    taken = set()
    for part in request.headers.get("accept-encoding", "").split(","):
        name, _, quality = part.strip().partition(";")
        if name and quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}:
            taken.add(name.strip().lower())
    return taken
