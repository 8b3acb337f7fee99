"""What Python workers know about heads of requests and answers."""

import http
import re

# Tables that are filled from what clients or apps send are bounded: they are emptied when full.
TABLE_SIZE = 1024

# What a header of an answer is to us.
PLAIN, LENGTH, DROPPED, FORBIDDEN = range(4)

token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z").match

standard_reasons = {status.value: status.phrase for status in http.HTTPStatus}

hop_by_hop = frozenset(
    ("transfer-encoding", "upgrade", "te", "trailer", "trailers", "proxy-connection", "proxy-authenticate",
     "proxy-authorization")
)


class HeadError(ValueError):
    """The app gave a status or headers that no answer can have."""


def header_kind(name):
    """What the header of that name is; HeadError when it is no header name."""
    if not token(name):
        raise HeadError("bad header name %r" % (name,))
    lower = name.lower()
    if lower == "content-length":
        return LENGTH
    # Date and Connection are the front's. PEP 3333 forbids Connection and Keep-Alive, yet examples of event streams
    # set them, Gunicorn and Uvicorn drop them, and across frames they mean nothing.
    if lower in ("date", "connection", "keep-alive"):
        return DROPPED
    return FORBIDDEN if lower in hop_by_hop else PLAIN


def split_host(host, scheme):
    """("example.com", "8080") of "example.com:8080"; the port of the scheme when there is none."""
    default = "443" if scheme == "https" else "80"
    if host.startswith("unix:"):
        return "localhost", default
    if host.startswith("["):
        name, _, port = host.partition("]")
        return name + "]", port[1:] or default
    name, _, port = host.partition(":")
    return name or "localhost", port or default
