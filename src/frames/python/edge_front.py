"""A front's connection as a Python worker sees it: cuts the bytes into frames, keeps the exchanges, makes frames."""

from edge_frames import (
    CANCEL, CREDIT, DATA, END, ERROR, HEADER, HELLO, MAX_PAYLOAD, MESSAGE, PING, PONG, REQUEST, RESPONSE,
    ProtocolError, fatal, pack, unpack_from,
)

# Holds many small frames of one read; grows to hold a larger one.
RECEIVE = 262144


class Front:
    """
    The runtime's part: `request(id, head, body, ended)`, `data(id, body, ended)`, `message(id, payload)`,
    `cancel(exchange, left_ms)`, and `write(*parts)`, which queues bytes for the front.
    """

    def __init__(self, rest):
        # Received bytes are buffer[start:end].
        self.buffer = bytearray(max(RECEIVE, len(rest)))
        self.buffer[: len(rest)] = rest
        self.view = memoryview(self.buffer)
        self.start = 0
        self.end = len(rest)
        # Exchanges by id until their END left.
        self.live = {}

    # In

    def parse(self):
        """Handles every whole frame. False when the front broke the protocol; it was told."""
        try:
            self.frames()
        except ProtocolError as error:
            self.write(fatal(str(error)))
            return False
        return True

    def frames(self):
        buffer = self.buffer
        view = self.view
        at = self.start
        end = self.end
        while end - at >= HEADER:
            length, id, extra, kind, flags, _ = unpack_from(buffer, at)
            stop = at + HEADER + length
            if stop > end:
                if length > MAX_PAYLOAD:
                    raise ProtocolError("frame of %d bytes" % length)
                break
            at += HEADER
            if kind == REQUEST:
                if extra > length or id == 0 or id in self.live:
                    raise ProtocolError("bad REQUEST frame")
                head = str(view[at : at + extra], "latin-1").split("\0")
                if len(head) < 12 or len(head) & 1:
                    raise ProtocolError("bad head of REQUEST")
                at += extra
                self.request(id, head, bytes(view[at:stop]) if at < stop else b"", flags & END)
            elif kind == DATA:
                self.data(id, bytes(view[at:stop]), flags & END)
            elif kind == MESSAGE:
                self.message(id, bytes(view[at:stop]))
            else:
                self.other(kind, id, extra, view[at:stop])
            at = stop
        if at == end:
            self.start = self.end = 0
        else:
            self.start = at
            self.make_space()

    def make_space(self):
        """Moves what is left of a frame to the front of the buffer, which grows until the frame fits."""
        left = self.end - self.start
        need = RECEIVE
        if left >= HEADER:
            need = max(need, HEADER + unpack_from(self.buffer, self.start)[0])
        if need > len(self.buffer):
            buffer = bytearray(HEADER + MAX_PAYLOAD)
            buffer[:left] = self.view[self.start : self.end]
            self.buffer = buffer
            self.view = memoryview(buffer)
        elif len(self.buffer) - self.start < need:
            self.buffer[:left] = bytes(self.view[self.start : self.end])
        else:
            return
        self.start = 0
        self.end = left

    def other(self, kind, id, extra, payload):
        if kind == CREDIT:
            x = self.live.get(id)
            if x is not None:
                x.granted += extra
                x.ring()
        elif kind == CANCEL or (kind == ERROR and id != 0):
            x = self.live.get(id)
            if x is not None:
                self.cancel(x, extra)
        elif kind == PING:
            self.write(pack(len(payload), 0, 0, PONG, 0, self.depth()) + payload)
        elif kind == ERROR:
            raise ProtocolError("the front gave up: %s" % str(payload, "utf-8", "replace"))
        elif kind not in (HELLO, PONG):
            raise ProtocolError("frame of type %d from a front" % kind)

    # Out

    def depth(self):
        return min(len(self.live), 65535)

    def emit_head(self, id, head, flags, data):
        """The RESPONSE frame."""
        live = self.live
        if flags:
            live.pop(id, None)
        n = len(head)
        self.write(pack(n + len(data), id, n, RESPONSE, flags, min(len(live), 65535)) + head + data)

    def emit(self, x, kind, flags, data, extra=0):
        """Any other frame of an exchange. `data` may be a view on a buffer that is used again: flush after it."""
        if flags:
            self.live.pop(x.id, None)
        header = pack(len(data), x.id, extra, kind, flags, self.depth())
        if len(data) < 4096:
            self.write(header + data)
        else:
            self.write(header, data)
