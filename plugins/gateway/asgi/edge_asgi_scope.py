"""The scope of a connection (ASGI 3, HTTP and WebSocket 2.4) from the head of a REQUEST frame."""

from urllib.parse import quote, unquote_to_bytes

from edge_heads import TABLE_SIZE, split_host

HTTP = {"version": "3.0", "spec_version": "2.4"}
LIFESPAN = {"version": "3.0", "spec_version": "2.0"}
# What may stand in a path as it is (RFC 3986, 3.3).
SAFE = "/!$&'()*+,;=:@-._~"
EXTENSIONS = {"http.response.early_hint": {}}
SOCKET_EXTENSIONS = {"websocket.http.response": {}}


class Scopes:
    """Makes scopes; `state` is what the app's lifespan left."""

    def __init__(self, state):
        self.state = state
        # Header name as received -> lower-case bytes.
        self.names = {}
        # (host, scheme) -> (name, port).
        self.servers = {}

    def make(self, head):
        method, target, path, query, prefix, scheme, version, host, ip, port, local, _ = head[:12]
        # The path holds the root path (ASGI 3): both are bytes of UTF-8 as Latin-1.
        raw_path = target.partition("?")[0]
        if not path:
            # It has a NUL, which no field of a head can carry.
            path = unquote_to_bytes(raw_path).decode("latin-1")
        if prefix:
            # As uvicorn: what the client wrote, the root path included.
            raw_path = quote(prefix.encode("latin-1"), SAFE) + raw_path
        full = prefix + path
        if not full.isascii():
            full = full.encode("latin-1").decode("utf-8", "replace")
            prefix = prefix.encode("latin-1").decode("utf-8", "replace")
        server = self.servers.get((host, scheme)) or self.server(host, scheme, local)
        scope = {
            "type": "http",
            "asgi": HTTP,
            "http_version": version,
            "method": method,
            "scheme": scheme,
            "path": full,
            "raw_path": raw_path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": prefix,
            "headers": self.headers(head),
            "client": (ip, int(port or 0)),
            "server": server,
            "state": self.state.copy(),
            "extensions": EXTENSIONS,
        }
        if scheme == "ws" or scheme == "wss":
            scope["type"] = "websocket"
            del scope["method"]
            scope["extensions"] = SOCKET_EXTENSIONS
            scope["subprotocols"] = [
                word.strip().decode("latin-1")
                for name, value in scope["headers"] if name == b"sec-websocket-protocol"
                for word in value.split(b",") if word.strip()
            ]
        return scope

    def headers(self, head):
        headers = []
        known = self.names.get
        for i in range(12, len(head), 2):
            name = known(head[i])
            if name is None:
                name = self.new_name(head[i])
                if name is None:
                    continue
            headers.append((name, head[i + 1].encode("latin-1")))
        return headers

    def new_name(self, name):
        if "_" in name:
            # Frameworks that make WSGI keys of names would take X_Forwarded_For for X-Forwarded-For.
            return None
        if len(self.names) >= TABLE_SIZE:
            self.names.clear()
        lower = self.names[name] = name.lower().encode("latin-1")
        return lower

    def server(self, host, scheme, local):
        name, port = split_host(host or local, "https" if scheme in ("https", "wss") else "http")
        if len(self.servers) >= TABLE_SIZE:
            self.servers.clear()
        server = self.servers[host, scheme] = (name, int(port) if port.isdigit() else None)
        return server
