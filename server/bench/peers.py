"""Our bundle beside packages that others offer for credits in React: bytes, and how long a slow page waits for them.

Fetched and evaluated, no more, which favours them: after that they have still to render and to ask for a balance. All
come in the same way, from one small server on this machine, with gzip. Ours is everything that it has.
"""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from server.bench.browser import PATIENCE_MS, SLOW, NoBrowser, busy, opened, slow_page
from server.bench.packing import NotMeasured, Packed, Peer, pack
from server.bench.page import current
from server.bench.report import AtMost, Figure, Spread, ratio
from server.bench.run import Run
from server.bench.stage import temporary_folder
from server.embed import folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PEERS = (
    Peer(
        "@schematichq/schematic-components",
        "@schematichq/schematic-components",
        beside=("@stripe/react-stripe-js", "@stripe/stripe-js"),
    ),
    Peer("autumn-js", "autumn-js/react"),
)
_PAGE = """<!doctype html><meta charset="utf-8"><title>scrip bench</title><link rel="icon" href="data:,">
<scrip-provider endpoint="/"></scrip-provider>
<script type="module">{script}
window.ready = performance.now();
</script>
"""


def beside_peers(run: Run) -> Iterator[Figure]:
    if not (folder() / "manifest.json").exists():
        yield Figure("ours / others'", skipped=f"not measured: the embed bundle is not built: {folder()} is empty")
        return
    ours = _packed((current(folder()) / "embed.js").read_bytes())
    packed = []
    for peer in PEERS:
        run.say(f"installing {peer.package}")
        try:
            with temporary_folder(None) as place:
                packed.append(pack(peer, Path(place)))
        except NotMeasured as why:
            yield Figure(f"ours / {peer.package}", skipped=f"not measured: {why}")
    for their in packed:
        yield from sizes_of(len(ours), their)
    if packed:
        yield from _times(run, ours, packed)


def sizes_of(our_bytes: int, their: Packed) -> Iterator[Figure]:
    """`our_bytes` compressed with gzip."""
    name = f"gzip bytes, ours / {their.peer.package} {their.version}"
    with_react, apart = len(_packed(their.script)), len(_packed(their.apart))
    yield Figure(
        f"{name} with React",
        f"{our_bytes:,} against {with_react:,}",
        Spread.of([our_bytes / with_react]),
        AtMost(1),
    )
    # A page that has React pays for the rest alone. For information: ours has elements, not all of theirs do.
    yield Figure(f"{name}, React apart", f"{our_bytes:,} against {apart:,}", Spread.of([our_bytes / apart]))


def _times(run: Run, ours: bytes, packed: list[Packed]) -> Iterator[Figure]:
    pages = {"/ours": 'import "/embed.js";'}
    pages |= {f"/page-{number}": f'import "/{number}.js";' for number in range(len(packed))}
    files = {"/embed.js": ("text/javascript", ours)}
    files |= {f"/{number}.js": ("text/javascript", _packed(their.script)) for number, their in enumerate(packed)}
    files |= {path: ("text/html", _packed(_PAGE.format(script=script).encode())) for path, script in pages.items()}
    try:
        with _served(files) as address, opened() as browser:
            _ready_ms(browser, address + "/ours")  # what only a first load pays
            measures = [_measure(browser, address + path) for path in pages]
            our_ms, *their_ms = run.in_turns("ours beside others'", *measures)
    except NoBrowser as why:
        yield Figure("fetched and evaluated, ours / others'", skipped=f"not measured: {why}")
        return
    for their, taken_ms in zip(packed, their_ms, strict=True):
        yield Figure(
            f"fetched and evaluated, ours / {their.peer.package} {their.version} with React ({SLOW})",
            f"{median(our_ms):.0f} against {median(taken_ms):.0f} ms from the start of the navigation; {busy()}",
            ratio(our_ms, taken_ms),
            AtMost(1),
        )


def _measure(browser: "Browser", address: str) -> Callable[[], float]:
    return lambda: _ready_ms(browser, address)


def _ready_ms(browser: "Browser", address: str) -> float:
    """From the start of the navigation until the page's scripts have run."""
    with slow_page(browser) as page:
        page.goto(address, wait_until="commit")
        page.wait_for_function("window.ready !== undefined", timeout=PATIENCE_MS, polling=250)
        return float(page.evaluate("window.ready"))


def _packed(script: bytes) -> bytes:
    return gzip.compress(script, 9, mtime=0)


@contextmanager
def _served(files: dict[str, tuple[str, bytes]]) -> Iterator[str]:
    """The address of a server that has these: path → (type, body in gzip)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content_type, body = files[self.path]
            self.send_response(200)
            self.send_header("content-type", f"{content_type}; charset=utf-8")
            self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
