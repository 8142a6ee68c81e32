"""Top-level errors: their codes, and what of them the caller may see.

Expected refusals are union members of the answer; these are the rest:

UNAUTHENTICATED   no credential, an expired or an unknown one
FORBIDDEN         a credential that may not do this
BAD_REQUEST       a body, document, variable or argument that cannot be taken; the message names its path
UNAVAILABLE       the store cannot answer now; the same idempotency key may be sent again
INTERNAL          our fault: the caller sees a request id, the log has the rest
"""

import logging
import secrets
from collections.abc import Collection
from typing import Any

from graphql import GraphQLError
from graphql.language import Node

from credits.errors import Unavailable

_log = logging.getLogger("scrip.graphql")

_MESSAGE_MAX = 500  # characters: graphql-core repeats the input in its messages, and an input may be 10 MB


class Problem(GraphQLError):
    """A top-level error that we mean the caller to see, with its code."""

    def __init__(self, code: str, message: str, nodes: Collection[Node] | Node | None = None) -> None:
        super().__init__(message, nodes, extensions={"code": code})


def unauthenticated(message: str = "no valid credential") -> Problem:
    return Problem("UNAUTHENTICATED", message)


def forbidden(message: str = "this credential may not do that") -> Problem:
    return Problem("FORBIDDEN", message)


def bad_request(message: str, nodes: Collection[Node] | Node | None = None) -> Problem:
    return Problem("BAD_REQUEST", message, nodes)


def unavailable(message: str = "the store cannot answer now; try again with the same idempotency key") -> Problem:
    return Problem("UNAVAILABLE", message)


def present(error: GraphQLError) -> GraphQLError:
    """The error as the caller sees it; an unexpected one is logged here and loses everything but a request id."""
    cause = _cause(error)
    if isinstance(cause, Problem):
        return _shown(error, cause.message, cause.extensions or {})
    if isinstance(cause, Unavailable):
        plain = unavailable()
        return _shown(error, plain.message, plain.extensions or {})
    if isinstance(cause, GraphQLError) and _is_about_input(error):
        return _shown(error, error.message, {"code": "BAD_REQUEST"})
    request_id = secrets.token_hex(8)
    _log.error("request %s failed at %s", request_id, _path(error), exc_info=cause)
    return _shown(error, "internal error", {"code": "INTERNAL", "requestId": request_id})


def present_exception(error: Exception) -> GraphQLError:
    """What was raised outside any field, as the caller sees it."""
    if isinstance(error, GraphQLError):
        return present(error)
    return present(GraphQLError("", original_error=error))


def _cause(error: GraphQLError) -> BaseException:
    """What lies at the bottom: graphql-core wraps what resolvers raise, once for each time it passes a field."""
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _is_about_input(error: GraphQLError) -> bool:
    """graphql-core's own words: before execution they speak of the request. During it they speak of our answer,
    which the caller may not see, except where an argument turns out to be wrong only with its variable's value."""
    return error.path is None or error.message.startswith("Argument '")


def _shown(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    short = message if len(message) <= _MESSAGE_MAX else message[:_MESSAGE_MAX] + "…"
    return GraphQLError(
        short, error.nodes, error.source, error.positions, error.path, extensions={"code": "BAD_REQUEST", **extensions}
    )


def _path(error: GraphQLError) -> str:
    return ".".join(map(str, error.path)) if error.path else "the request"
