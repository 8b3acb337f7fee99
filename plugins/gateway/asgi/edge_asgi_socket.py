"""One WebSocket of an ASGI app: its handshake, and messages in MESSAGE frames."""

import struct
from collections import deque

from edge_asgi_exchange import ClientGone, Exchange
from edge_asgi_head import check_head
from edge_frames import DATA, END, MESSAGE, ProtocolError

TEXT, BINARY, CLOSE = 1, 2, 8
# On the first byte of a MESSAGE: the message goes on in the next one.
MORE = 0x80
# Largest part of a message in one frame.
PART = 65535
# Larger messages than this are refused with 1009; the front's own limit is lower as a rule.
MAX_MESSAGE = 64 << 20

# Where the handshake stands.
CONNECTING, ACCEPTED, DENYING, CLOSED = range(4)


class SocketExchange(Exchange):
    state = CONNECTING
    connect_given = False
    disconnect = None
    # Code and reason of the app's own close: its receive() then says the same.
    closed_with = None
    # Parts of a message that has not ended.
    parts_size = 0
    length = -1

    def __init__(self, front, id, head):
        super().__init__(front, id, head)
        self.messages = deque()
        self.parts = []

    # What the app calls

    async def receive(self):
        if not self.connect_given:
            self.connect_given = True
            return {"type": "websocket.connect"}
        while not self.messages or self.closed_with is not None:
            if self.closed_with is not None:
                return {"type": "websocket.disconnect", "code": self.closed_with[0], "reason": self.closed_with[1]}
            if self.disconnect is not None:
                return {"type": "websocket.disconnect", "code": self.disconnect[0], "reason": self.disconnect[1]}
            if self.cancelled or self.state == CLOSED:
                return {"type": "websocket.disconnect", "code": 1006, "reason": ""}
            await self.wait()
        message, size = self.messages.popleft()
        self.took(size)
        return message

    async def send(self, message):
        kind = message["type"]
        if self.cancelled or self.disconnect is not None:
            raise ClientGone("the client is gone")
        if self.state == CONNECTING:
            self.answer_handshake(kind, message)
        elif self.state == ACCEPTED and kind == "websocket.send":
            text = message.get("text")
            if text is not None:
                await self.send_parts(TEXT, text.encode("utf-8"))
            else:
                await self.send_parts(BINARY, message["bytes"])
        elif self.state == ACCEPTED and kind == "websocket.close":
            self.close(message.get("code", 1000), message.get("reason") or "")
        elif self.state == DENYING and kind == "websocket.http.response.body":
            await self.deny(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError("%r is not possible now" % (kind,))

    # Handshake

    def answer_handshake(self, kind, message):
        if kind == "websocket.accept":
            headers = list(message.get("headers", ()))
            if any(name.lower() == b"sec-websocket-protocol" for name, _ in headers):
                raise RuntimeError("the subprotocol goes into `subprotocol`, not into the headers")
            subprotocol = message.get("subprotocol")
            if subprotocol is not None:
                headers.append((b"Sec-WebSocket-Protocol", subprotocol.encode("latin-1")))
            head, _ = check_head(101, headers, least=101)
            self.front.emit_head(self.id, head, 0, b"")
            self.state = ACCEPTED
        elif kind == "websocket.close":
            self.respond(403, (), b"", END)
        elif kind == "websocket.http.response.start":
            self.answer, self.length = check_head(message["status"], message.get("headers", ()))
            self.front.emit_head(self.id, self.answer, 0, b"")
            self.state = DENYING
        else:
            raise RuntimeError("the handshake is not answered yet, but %r came" % (kind,))

    def respond(self, status, headers, body, flags):
        head, _ = check_head(status, headers)
        self.front.emit_head(self.id, head, flags, body)
        self.end()

    async def deny(self, body, more):
        """The body of an answer that refuses the handshake."""
        view = memoryview(body)
        while view:
            n = min(await self.room(), PART, len(view))
            self.spent += n
            self.front.emit(self, DATA, 0, bytes(view[:n]))
            view = view[n:]
        if not more:
            self.front.emit(self, DATA, END, b"")
            self.end()

    # Messages out

    async def send_parts(self, kind, data):
        """A message in as many frames as credit asks for."""
        view = memoryview(data)
        while True:
            # The kind's byte spends credit too.
            while await self.room() < 2:
                await self.wait()
            n = min(self.granted - self.spent - 1, PART, len(view))
            more = MORE if n < len(view) else 0
            self.spent += n + 1
            self.front.emit(self, MESSAGE, 0, bytes((kind | more,)) + view[:n])
            view = view[n:]
            if not more:
                return

    def close(self, code, reason):
        # No character is cut in two.
        reason = reason.encode("utf-8")[:123].decode("utf-8", "ignore").encode("utf-8")
        self.closed_with = (code, reason.decode("utf-8"))
        self.front.emit(self, MESSAGE, 0, struct.pack(">BH", CLOSE, code) + reason)
        self.front.emit(self, DATA, END, b"")
        self.end()

    def end(self):
        self.state = CLOSED
        self.done = True
        self.ring()

    # Messages in

    def message(self, payload):
        if not payload or self.disconnect is not None:
            raise ProtocolError("bad MESSAGE frame")
        kind = payload[0] & ~MORE
        if kind == CLOSE:
            code = struct.unpack_from(">H", payload, 1)[0] if len(payload) > 2 else 1005
            self.disconnect = (code, payload[3:].decode("utf-8", "replace"))
        elif kind == TEXT or kind == BINARY:
            self.part(kind, payload)
        else:
            raise ProtocolError("MESSAGE of kind %d" % kind)
        self.ring()

    def part(self, kind, payload):
        self.parts.append(payload[1:])
        self.parts_size += len(payload)
        if self.parts_size > MAX_MESSAGE:
            self.close(1009, "message too big")
            self.disconnect = (1009, "")
            return
        if payload[0] & MORE:
            # Granted at once: the app gets nothing before the message is whole.
            self.took(len(payload))
            return
        data = b"".join(self.parts)
        self.parts = []
        self.parts_size = 0
        if kind == TEXT:
            try:
                message = {"type": "websocket.receive", "text": data.decode("utf-8")}
            except UnicodeDecodeError:
                raise ProtocolError("text message that is not UTF-8") from None
        else:
            message = {"type": "websocket.receive", "bytes": data}
        self.messages.append((message, len(payload)))

    def front_ended(self):
        """The front sent its END: after a close, or the client is gone without one."""
        if self.disconnect is None:
            self.disconnect = (1006, "")
        self.ring()

    # The end of the app

    def unfinished(self):
        if self.state == CONNECTING:
            self.crash("the app returned without an answer to the handshake")
        elif self.state == DENYING:
            self.fail("the app returned before the end of its answer")
        elif self.disconnect is not None:
            self.front.emit(self, DATA, END, b"")
            self.end()
        else:
            self.close(1000, "")

    def failed(self, trace):
        if self.state == CONNECTING:
            self.respond(500, ((b"Content-Type", b"text/plain; charset=utf-8"),),
                         (trace if self.front.server.dev else "Internal Server Error\n").encode("utf-8", "replace"), END)
        elif self.state == ACCEPTED and self.disconnect is None:
            self.close(1011, "")
        else:
            self.fail("the app raised an exception")
