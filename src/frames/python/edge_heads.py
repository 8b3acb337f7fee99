"""What Python workers know about heads of requests and answers."""

import http
import re

from edge_boot import warn_once

# Tables that are filled from what clients or apps send are bounded: they are emptied when full.
TABLE_SIZE = 1024

# What a header of an answer is to us.
PLAIN, LENGTH, DROPPED, FORBIDDEN, CONNECTION, UPGRADE = range(6)

token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z").match

# Those that the front writes by itself; of others (413, 416, 422) its words and Python's differ, and Python's own change.
standard_reasons = {
    status.value: status.phrase for status in http.HTTPStatus if status.value not in (413, 414, 416, 418, 422)
}

hop_by_hop = frozenset(
    ("transfer-encoding", "te", "trailer", "trailers", "proxy-connection", "proxy-authenticate",
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
    # Date and Connection are the front's, but for `close`, which it does. PEP 3333 forbids Connection and Keep-Alive, yet examples of event streams
    # set them, Gunicorn and Uvicorn drop them, and across frames they mean nothing.
    if lower == "connection":
        return CONNECTION
    if lower == "upgrade":
        return UPGRADE
    if lower in ("date", "keep-alive"):
        return DROPPED
    return FORBIDDEN if lower in hop_by_hop else PLAIN


def passes(runtime, kind, status, name, value):
    """
    Whether a field that is not PLAIN goes to the front. Frameworks that speak HTTP themselves pass on those of the
    connection; Gunicorn drops them without a word, we say so once.
    """
    if kind is CONNECTION:
        return any(option.strip(" \t").lower() == "close" for option in value.split(","))
    if kind is UPGRADE and status == 426:
        # RFC 9110, 15.5.22.
        return True
    if kind is not DROPPED:
        warn_once(
            "edge %s: the app sets %s, which belongs to the connection (RFC 9110, 7.6.1): left out; said once"
            % (runtime, name)
        )
    return False


def one_length(text, before):
    """
    The number of a Content-Length, as Gunicorn takes it: spaces around it are nothing, and one that comes twice alike is one
    (RFC 9110, 8.6). Two that differ could be read either way, which is how answers are smuggled.
    """
    digits = text.strip(" \t")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise HeadError("bad Content-Length %r" % (text,))
    if before >= 0 and before != int(digits):
        raise HeadError("two Content-Length that differ: %d and %s" % (before, digits))
    return int(digits)


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
