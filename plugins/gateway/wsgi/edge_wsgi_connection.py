"""A front's connection: frames in, frames out."""

import threading

from edge_frames import (
    CANCEL, CREDIT, CREDIT_STEP, DATA, END, ERROR, HEADER, HELLO, MAX_PAYLOAD, PING, PONG, REQUEST, RESPONSE,
    ProtocolError, fatal, pack, unpack_from,
)
from edge_wsgi_exchange import Exchange
from edge_wsgi_input import Spool

# Holds many small frames of one recv; grows to hold a larger one.
RECEIVE = 262144


class Connection:
    def __init__(self, server, sock, rest):
        self.server = server
        self.sock = sock
        self.fd = sock.fileno()
        # Received bytes are buffer[start:end].
        self.buffer = bytearray(max(RECEIVE, len(rest)))
        self.buffer[: len(rest)] = rest
        self.view = memoryview(self.buffer)
        self.start = 0
        self.end = len(rest)
        # Exchanges by id until their END left.
        self.live = {}
        # Frames that have not been given to the kernel, and whether the server waits for it to take more.
        self.out = []
        self.blocked = False
        self.closed = False
        # Guards `out` when apps run in threads.
        self.lock = threading.Lock() if server.threads > 1 else None
        sock.setblocking(False)
        self.recv_into = sock.recv_into
        self.send = sock.send

    # In

    def receive(self):
        """Reads once and handles every whole frame. False when the front is gone or broke the protocol."""
        end = self.end
        try:
            n = self.recv_into(self.view[end:] if end else self.view)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if n == 0:
            return False
        self.end = end + n
        return self.parse()

    def parse(self):
        """Handles every whole frame. False when the front broke the protocol."""
        try:
            self.frames()
        except ProtocolError as error:
            self.emit_raw(fatal(str(error)))
            self.flush()
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

    def request(self, id, head, body, ended):
        x = self.live[id] = Exchange(self, id, head, body, ended)
        if ended:
            if head[11] == "-1":
                head[11] = str(len(body))
            self.server.enqueue(x)
        elif head[11] == "-1":
            x.spool = Spool()
            self.spool(x, body, False)
        else:
            x.stream(body)
            self.server.enqueue(x)

    def spool(self, x, data, ended):
        """A body of unknown length; the app runs when it is complete. The front bounds it."""
        x.spool.write(data)
        if ended:
            x.body_ended = True
            x.head[11] = str(x.spool.size)
            self.server.enqueue(x)
            return
        x.spool.owed += len(data)
        if x.spool.owed >= CREDIT_STEP:
            self.emit(x, CREDIT, 0, b"", x.spool.owed)
            x.spool.owed = 0

    def data(self, id, data, ended):
        x = self.live.get(id)
        if x is None:
            # Answered before its body was read.
            return
        if x.body_ended:
            raise ProtocolError("DATA after END")
        if x.spool is not None:
            self.spool(x, data, ended)
            return
        if data:
            x.body.append(data)
        if ended:
            x.body_ended = True
        x.ring()

    def other(self, kind, id, extra, payload):
        if kind == CREDIT:
            x = self.live.get(id)
            if x is not None:
                x.granted += extra
                x.ring()
        elif kind == CANCEL or (kind == ERROR and id != 0):
            x = self.live.get(id)
            if x is not None:
                self.cancel(x)
        elif kind == PING:
            self.emit_raw(pack(len(payload), 0, 0, PONG, 0, self.depth()) + payload)
        elif kind == ERROR:
            raise ProtocolError("the front gave up: %s" % str(payload, "utf-8", "replace"))
        elif kind not in (HELLO, PONG):
            raise ProtocolError("frame of type %d from a front" % kind)

    def cancel(self, x):
        x.cancelled = True
        if x.spool is not None and not x.body_ended:
            x.fail("cancelled")
        x.ring()

    # Out

    def depth(self):
        return min(len(self.live), 65535)

    def emit_head(self, id, head, flags, data):
        """The RESPONSE frame."""
        live = self.live
        if flags:
            live.pop(id, None)
        n = len(head)
        bytes = pack(n + len(data), id, n, RESPONSE, flags, min(len(live), 65535)) + head + data
        if self.lock is None and not self.closed:
            self.out.append(bytes)
        else:
            self.emit_raw(bytes)

    def emit(self, x, kind, flags, data, extra=0):
        """Any other frame of an exchange. `data` may be a view on a buffer that is used again: flush after it."""
        if flags:
            self.live.pop(x.id, None)
        header = pack(len(data), x.id, extra, kind, flags, self.depth())
        if len(data) < 4096:
            self.emit_raw(header + data)
        else:
            self.emit_raw(header, data)

    def emit_raw(self, *parts):
        if self.closed:
            return
        if self.lock is None:
            self.out += parts
        else:
            with self.lock:
                self.out += parts

    def flush(self):
        """Gives the kernel what it takes; the main loop gives the rest when it takes more."""
        if self.lock is None:
            self.flush_out()
        else:
            with self.lock:
                self.flush_out()

    def flush_out(self):
        out = self.out
        if not out or self.closed:
            return
        self.out = []
        try:
            if len(out) == 1:
                data = out[0]
                total = len(data)
                sent = self.send(data)
            else:
                total = sum(map(len, out))
                # sendmsg saves the copy of large pieces and costs more with many small ones.
                sent = self.sock.sendmsg(out) if total > 65536 and len(out) <= 512 else self.send(b"".join(out))
        except BlockingIOError:
            sent = 0
        except OSError:
            # The main loop sees the end of this connection when it reads.
            return
        if sent < total:
            self.out = [b"".join(out)[sent:], *self.out]
            if not self.blocked:
                self.blocked = True
                self.server.watch(self)

    def close(self):
        """The front is gone: what its exchanges still do is for nobody."""
        self.closed = True
        self.out = []
        for x in list(self.live.values()):
            self.cancel(x)
        self.live.clear()
        self.sock.close()
