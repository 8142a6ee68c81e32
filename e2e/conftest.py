"""What end-to-end tests share with the others: a server of their own on an embedded database."""

from tests.conftest import own_server, postgres, scratch, server, template

__all__ = ["own_server", "postgres", "scratch", "server", "template"]
