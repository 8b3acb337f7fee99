"""The environ of a request (PEP 3333), as Gunicorn builds it, from the head of a REQUEST frame."""

import sys
from urllib.parse import quote, unquote_to_bytes

from edge_heads import TABLE_SIZE, split_host


def environ_key(name):
    """Key of a header in the environ; None: not for the app."""
    upper = name.upper()
    if not upper.replace("-", "").isalnum() or upper == "CONTENT-LENGTH":
        # X_Forwarded_For would pose as X-Forwarded-For, X.User where somebody maps more than "-" (nginx drops such names
        # too); the length is a field of the frame's head.
        return None
    if upper == "CONTENT-TYPE":
        return "CONTENT_TYPE"
    return "HTTP_" + upper.replace("-", "_")


class Environs:
    """Makes environs. What is the same for many requests is kept in one dict per (prefix, scheme, version, host)."""

    def __init__(self, threads, multiprocess, file_wrapper):
        # Header name as received -> key.
        self.keys = {}
        self.bases = {}
        # SCRIPT_NAME -> as it stands in a URI.
        self.raw_prefixes = {}
        self.common = {
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": threads > 1,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": file_wrapper,
            # The stream ends where the body ends: reading on gives b"" (Werkzeug and others ask for this).
            "wsgi.input_terminated": True,
            "SERVER_SOFTWARE": "edge",
        }

    def make(self, head):
        """
        `head`: method, target, path, query, prefix, scheme, version, host, ip, port, local, length, then name, value...
        Without wsgi.input.
        """
        method, target, path, query, prefix, scheme, version, host, ip, port, local, length = head[:12]
        base = self.bases.get((prefix, scheme, version, host))
        if base is None:
            base = self.make_base(prefix, scheme, version, host, local)
        environ = base.copy()
        environ["REQUEST_METHOD"] = method
        # As gunicorn: the whole of what the client asked for, SCRIPT_NAME included.
        environ["RAW_URI"] = environ["REQUEST_URI"] = self.raw_prefix(prefix) + target if prefix else target
        # Empty when it has a NUL, which no field of a head can carry.
        environ["PATH_INFO"] = path or unquote_to_bytes(target.partition("?")[0]).decode("latin-1")
        environ["QUERY_STRING"] = query
        environ["REMOTE_ADDR"] = ip
        if port:
            environ["REMOTE_PORT"] = port
        if length and length != "-1":
            environ["CONTENT_LENGTH"] = length
        # A plain loop: dict(zip(map(...))) with a check for duplicates costs twice as much for ten headers.
        known = self.keys.get
        for i in range(12, len(head), 2):
            key = known(head[i])
            if key is None or key in environ:
                self.add_rare(environ, head[i], head[i + 1])
            else:
                environ[key] = head[i + 1]
        return environ

    def raw_prefix(self, prefix):
        raw = self.raw_prefixes.get(prefix)
        if raw is None:
            # One for each `strip` of the config.
            raw = self.raw_prefixes[prefix] = quote(prefix.encode("latin-1"), "/!$&'()*+,;=:@-._~")
        return raw

    def add_rare(self, environ, name, value):
        """A header whose name is new, or is not for the app, or came before (RFC 9110, 5.2 and RFC 6265, 5.4)."""
        key = environ_key(name)
        if key is None:
            if value == "0" and name.lower() == "content-length":
                # Said of no body, which has no length in the frame's head.
                environ.setdefault("CONTENT_LENGTH", "0")
            return
        if len(self.keys) >= TABLE_SIZE:
            self.keys.clear()
        self.keys[name] = key
        if key in environ:
            environ[key] += ("; " if key == "HTTP_COOKIE" else ",") + value
        else:
            environ[key] = value

    def make_base(self, prefix, scheme, version, host, local):
        name, port = split_host(host or local, scheme)
        base = self.common.copy()
        base["wsgi.url_scheme"] = scheme
        if scheme == "https":
            base["HTTPS"] = "on"
        base["SCRIPT_NAME"] = prefix
        base["SERVER_PROTOCOL"] = "HTTP/" + version
        base["SERVER_NAME"] = name
        base["SERVER_PORT"] = port
        if len(self.bases) >= TABLE_SIZE:
            self.bases.clear()
        self.bases[prefix, scheme, version, host] = base
        return base
