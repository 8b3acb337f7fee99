"""A front's connection on an asyncio loop."""

import asyncio

from edge_asgi_http import HttpExchange
from edge_asgi_socket import SocketExchange
from edge_frames import ProtocolError
from edge_front import Front

# Bytes that the transport may keep before senders wait: many exchanges share the connection.
HIGH_WATER = 1 << 20


class FrontProtocol(Front, asyncio.BufferedProtocol):
    def __init__(self, server, rest):
        super().__init__(rest)
        self.server = server
        self.transport = None
        # Frames of this turn of the loop, which leave in one write.
        self.out = []
        # The transport asked to wait.
        self.full = False

    # The transport

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        self.server.fronts.add(self)
        if self.end and not self.parse():
            self.close()

    def get_buffer(self, hint):
        return self.view[self.end :] if self.end else self.view

    def buffer_updated(self, size):
        self.end += size
        if not self.parse():
            self.close()

    def eof_received(self):
        return False

    def connection_lost(self, error):
        self.server.fronts.discard(self)
        for x in list(self.live.values()):
            x.cancel()

    def pause_writing(self):
        self.full = True

    def resume_writing(self):
        self.full = False
        for x in list(self.live.values()):
            x.ring()

    def close(self):
        self.flush()
        self.transport.close()

    # In

    def request(self, id, head, body, ended):
        if head[5] == "ws" or head[5] == "wss":
            x = SocketExchange(self, id, head)
        else:
            x = HttpExchange(self, id, head, body, ended)
        self.live[id] = x
        x.start(self.server.scopes.make(head))

    def data(self, id, data, ended):
        x = self.live.get(id)
        if x is None:
            # Answered before its body was read.
            return
        if x.body_ended:
            raise ProtocolError("DATA after END")
        if ended:
            x.body_ended = True
        if isinstance(x, SocketExchange):
            x.front_ended()
            return
        if data:
            x.body.append(data)
        x.ring()

    def message(self, id, payload):
        x = self.live.get(id)
        if x is None:
            return
        if not isinstance(x, SocketExchange):
            raise ProtocolError("MESSAGE for an HTTP exchange")
        x.message(payload)

    def cancel(self, x, left_ms):
        x.cancel(left_ms)

    # Out

    def write(self, *parts):
        if not self.out:
            self.server.loop.call_soon(self.flush)
        self.out += parts

    def flush(self):
        out = self.out
        if out:
            self.out = []
            if self.transport.is_closing():
                return
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))
