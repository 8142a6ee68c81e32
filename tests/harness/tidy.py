"""Checks about the code. Each takes a file's path inside the repository and its text, and tells what is wrong with it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).parents[2]
SOURCES = ("credits", "schema", "server", "components", "frontend_embed", "scripts", "tests", "e2e")
PACKAGES = ("credits", "schema", "server")
NOT_OURS = {"node_modules", "dist", "__pycache__", "test-results", "build"}
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
EXACT = (
    *("credits/amount.py", "credits/rating/", "credits/ledger/", "credits/enforcement/"),
    *("credits/catalog/currencies.py", "credits/money/", "credits/recharge/", "credits/revenue/"),
)

BAD_FILE_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|service|manager|misc)(_|$)")
# Other products' words, and what they would hide here: see DESIGN's list of words.
BAD_WORDS = re.compile(r"wallet|(?<![a-z])reservation", re.IGNORECASE)
UNSAFE_HTML = re.compile(r"\.innerHTML|\.outerHTML|insertAdjacentHTML|unsafeHTML|unsafeSVG|document\.write|\beval\(")
NAMED_FACTORY = re.compile(r"[\w.]+:\w+$")  # `server.app:create_app`, for another process to import
IN_TESTS = re.compile(r"\.test\.ts$|/tests?/|/testing/")
# Of whoever built it, not of the project: folders of one machine, addresses of one network's package registry.
MACHINE = re.compile(
    r"(?<![\w.])/(root|work|Users)/\w|(?<![\w.])/home/(?!scrip\b)\w|\"resolved\": \"http|--index-url|find-links"
)


def read_all() -> Iterator[tuple[str, str]]:
    """Every source file of ours, tracked or not: (path, text)."""
    for folder in SOURCES:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.suffix in {".py", ".ts", ".mjs"} and not NOT_OURS & set(path.relative_to(REPOSITORY).parts):
                yield path.relative_to(REPOSITORY).as_posix(), path.read_text(encoding="utf-8")


def read_everything_written() -> Iterator[tuple[str, str]]:
    """What a reader of the repository sees, lock files and settings too."""
    yield from read_all()
    for path in sorted(REPOSITORY.iterdir()):
        if path.is_file() and path.name not in {".env", ".git", ".venv.log"}:
            yield path.name, path.read_text(encoding="utf-8", errors="replace")
    for folder in ("scripts", ".ci", *SOURCES):
        for path in sorted((REPOSITORY / folder).rglob("*")):
            inside = path.relative_to(REPOSITORY)
            if (
                path.is_file()
                and not NOT_OURS & set(inside.parts)
                and path.suffix in {"", ".md", ".sql", ".html", ".json"}
            ):
                yield inside.as_posix(), path.read_text(encoding="utf-8", errors="replace")


def long_files(path: str, text: str) -> Iterator[str]:
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield f"{path}: {lines} lines, {FILE_LINES_MAX} are the most; split it by meaning"


def long_functions(path: str, text: str) -> Iterator[str]:
    for node in _nodes(path, text):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines, {FUNCTION_LINES_MAX} are the most"


def names_that_say_nothing(path: str, _text: str) -> Iterator[str]:
    for part in PurePosixPath(path).parts:
        if BAD_FILE_NAMES.search(part.partition(".")[0]):
            yield f"{path}: {part} says nothing of what is inside"


def words_of_others(path: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        found = BAD_WORDS.search(line)
        if found:
            yield f"{path}:{number}: {found[0]!r} is not our word"


def adding_across_an_await(path: str, text: str) -> Iterator[str]:
    """`x += await f()` reads x before it waits: whoever changed it meanwhile is undone."""
    for node in _nodes(path, text):
        if isinstance(node, ast.AugAssign) and any(isinstance(part, ast.Await) for part in ast.walk(node.value)):
            yield f"{path}:{node.lineno}: `+= await` loses what happens while it waits"


def floats_near_credits(path: str, text: str) -> Iterator[str]:
    if not path.startswith("credits/"):
        return
    for node in _nodes(path, text):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield f"{path}:{node.lineno}: float()"
        if path.startswith(EXACT):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                yield f"{path}:{node.lineno}: {node.value} is a float"
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                yield f"{path}:{node.lineno}: / makes floats; say // or divide Decimals by name"


def clocks(path: str, text: str) -> Iterator[str]:
    """Time is given to the domain, and always has a zone."""
    for node in _nodes(path, text):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = ast.unparse(node.func)
        last = node.func.attr
        if last in {"utcnow", "utcfromtimestamp"}:
            yield f"{path}:{node.lineno}: {called} has no zone"
        elif called.endswith("datetime.now") and not node.args and not node.keywords:
            yield f"{path}:{node.lineno}: {called}() has no zone"
        elif path.startswith("credits/") and called in {
            "datetime.now",
            "datetime.datetime.now",
            "time.time",
            "date.today",
        }:
            yield f"{path}:{node.lineno}: {called} reads the clock; take `now`"


def unsafe_html(path: str, text: str) -> Iterator[str]:
    if path.endswith((".ts", ".mjs")) and not IN_TESTS.search(path):  # a test writes its own page
        for number, line in enumerate(text.splitlines(), 1):
            found = UNSAFE_HTML.search(line)
            if found:
                yield f"{path}:{number}: {found[0]} makes markup of text"


def shared_extensions(path: str, text: str) -> Iterator[str]:
    """An extension instance is shared by concurrent requests, and shows one caller's errors to another."""
    if not path.startswith(("schema/", "server/")):
        return
    for node in _nodes(path, text):
        if isinstance(node, ast.keyword) and node.arg == "extensions" and isinstance(node.value, ast.List):
            for element in node.value.elts:
                if isinstance(element, ast.Call):
                    yield f"{path}:{element.lineno}: {ast.unparse(element)} is shared by all requests; pass a factory"


def traces_of_a_machine(path: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        found = MACHINE.search(line)
        if found:
            yield f"{path}:{number}: {found[0]!r} belongs to one machine"


def modules_nobody_imports(files: dict[str, str], entries: set[str]) -> Iterator[str]:
    """Modules of the packages in `files` (path → text) that no other of them imports, and that are no entry."""
    modules = {_module(path): path for path in files if path.endswith(".py") and path.startswith(PACKAGES)}
    used: set[str] = set()
    for path, text in files.items():
        if _module(path) in modules:
            used |= {name for name in _imports(path, text) if name != _module(path)}
    for module, path in modules.items():
        if module not in used | entries and not path.endswith("__init__.py"):
            yield f"{path}: nobody imports it"


def _imports(path: str, text: str) -> Iterator[str]:
    for node in _nodes(path, text):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and NAMED_FACTORY.match(node.value):
            yield node.value.partition(":")[0]


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _nodes(path: str, text: str) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(text)) if path.endswith(".py") else iter(())
