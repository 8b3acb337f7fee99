"""A front's connection over a socket of the main loop."""

import threading

from edge_boot import log
from edge_frames import CREDIT, CREDIT_STEP, ProtocolError
from edge_front import Front
from edge_wsgi_exchange import Exchange
from edge_wsgi_input import Spool


class Connection(Front):
    def __init__(self, server, sock, rest):
        super().__init__(rest)
        self.server = server
        self.sock = sock
        self.fd = sock.fileno()
        # Bytes that have not been given to the kernel, and whether the server waits for it to take more.
        self.out = []
        self.blocked = False
        self.closed = False
        # Guards `out` when apps run in threads.
        self.lock = threading.Lock() if server.threads > 1 else None
        if self.lock is not None:
            self.write = self.write_locked
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
        try:
            x.spool.write(data)
        except OSError as error:
            log("edge wsgi: cannot keep the body of %s: %s" % (x.name(), error))
            x.fail("the worker cannot keep the body")
            return
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

    def message(self, id, payload):
        if id in self.live:
            raise ProtocolError("MESSAGE for a WSGI app")

    def begin(self, x):
        """True when the app is to run for it: it was not cancelled while it waited."""
        if self.lock is None:
            x.begun = True
            return not x.done
        with self.lock:
            x.begun = True
            return not x.done

    def cancel(self, x, left_ms=0):
        x.cancelled = True
        if self.drop_waiting(x):
            # Answered at once although every thread may be stuck.
            x.fail("cancelled")
        x.ring()

    def drop_waiting(self, x):
        if self.lock is None:
            x.done = x.done or not x.begun
            return not x.begun
        with self.lock:
            x.done = x.done or not x.begun
            return not x.begun

    # Out

    def write(self, *parts):
        if not self.closed:
            self.out += parts

    def write_locked(self, *parts):
        with self.lock:
            if not self.closed:
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
