"""What a page has to load for a package: installed for the run into a folder that goes away, bundled, minified."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_ESBUILD = Path(__file__).parents[2] / "node_modules" / ".bin" / "esbuild"
_NODE = Path(sys.prefix) / "node"  # where scripts/node puts one when the machine has none
_INSTALL_S = 180.0
_BUNDLE_S = 60.0
_INSTALL = [
    "install",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--legacy-peer-deps",  # of its many hosts only what we name
    "--fetch-retries=1",
    "--fetch-timeout=20000",
]
_BUNDLE = [
    "--bundle",
    "--minify",
    "--format=esm",
    "--target=es2022",
    "--platform=browser",
    '--define:process.env.NODE_ENV="production"',
    "--log-level=error",
]
_APART = [f"--external:{name}" for name in ("react", "react/*", "react-dom", "react-dom/*")]
REACT = ("react", "react-dom")


class NotMeasured(Exception):
    """A package cannot be had here; its text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A package for React that shows or reads credits; `beside`: what it wants its host to install."""

    package: str
    module: str
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Packed:
    peer: Peer
    version: str
    script: bytes
    """With React in it: what a page without React loads."""
    apart: bytes
    """Without React: what a page that has it loads on top."""


def pack(peer: Peer, folder: Path) -> Packed:
    """Installs the newest version into `folder` and bundles all that the module exports. Raises `NotMeasured`."""
    npm = shutil.which("npm") or shutil.which("npm", path=str(_NODE))
    if npm is None:
        raise NotMeasured("there is no npm on the path")
    if not _ESBUILD.exists():
        raise NotMeasured("there is no esbuild: it comes with node_modules of a checkout")
    (folder / "package.json").write_text('{"private": true}')
    installed = _run([npm, *_INSTALL, peer.package, *peer.beside, *REACT], folder, _INSTALL_S)
    if installed.returncode:
        raise NotMeasured(f"npm cannot install {peer.package}: {complaint_of(installed.stderr)}")
    about = json.loads((folder / "node_modules" / peer.package / "package.json").read_bytes())
    (folder / "entry.js").write_text(entry_of(peer))
    return Packed(peer, about["version"], _bundle(folder, []), _bundle(folder, _APART))


def entry_of(peer: Peer) -> str:
    """Keeps everything, as a page that uses all of it does; `react-dom/client` is what mounts it."""
    return (
        f'import * as all from "{peer.module}";\nimport * as mounting from "react-dom/client";\n'
        "globalThis.kept = [all, mounting];\n"
    )


def complaint_of(printed: str) -> str:
    """What npm says went wrong: its code, which names no address, else its first line."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    codes = [line.split()[-1] for line in lines if line.startswith(("npm error code", "npm ERR! code"))]
    return next(iter(codes or lines), "it does not say why")


def _bundle(folder: Path, more: list[str]) -> bytes:
    bundled = _run([str(_ESBUILD), "entry.js", *_BUNDLE, *more, "--outfile=out.js"], folder, _BUNDLE_S)
    if bundled.returncode:
        raise NotMeasured(f"esbuild cannot bundle it: {complaint_of(bundled.stderr)}")
    return (folder / "out.js").read_bytes()


def _run(command: list[str], folder: Path, patience_s: float) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 -- our own words, no shell
            command, cwd=folder, capture_output=True, text=True, timeout=patience_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotMeasured(f"{Path(command[0]).name} took longer than {patience_s:.0f} s") from None
