"""The worker protocol (docs/worker-protocol.md) for Python workers: frames, and the thread that accepts connections."""

import json
import os
import selectors
import socket
import struct
import threading
import traceback

VERSION = 1
HELLO, REQUEST, RESPONSE, DATA, CANCEL, ERROR, CREDIT, PING, PONG, EARLY, STACK, DRAIN, MESSAGE = range(1, 14)
END = 1
HEADER = 16
MAX_PAYLOAD = 1 << 20
# Body bytes that may be on their way before the receiver grants more, and the least it grants at once.
FIRST_CREDIT = 262144
CREDIT_STEP = 65536

frame = struct.Struct("<IIIBBH")
pack = frame.pack
unpack_from = frame.unpack_from


class ProtocolError(Exception):
    """The peer broke the protocol: it is told with ERROR, id 0, and its connection is closed."""


def hello(name, concurrency, **more):
    """Bytes of the HELLO frame of a worker."""
    facts = {"version": VERSION, "role": "worker", "name": name, "pid": os.getpid(), "concurrency": concurrency}
    facts.update(more)
    payload = json.dumps(facts).encode()
    return pack(len(payload), 0, 0, HELLO, 0, 0) + payload


def fatal(message):
    """Bytes of the ERROR frame that goes before a close."""
    payload = message.encode("utf-8", "replace")[:1024]
    return pack(len(payload), 0, 0, ERROR, END, 0) + payload


def read_hello(payload):
    """Role of the peer; ProtocolError when it is not one of ours."""
    try:
        facts = json.loads(payload.decode("utf-8"))
        version, role = facts["version"], facts["role"]
    except (ValueError, KeyError, TypeError):
        raise ProtocolError("bad HELLO") from None
    if version != VERSION:
        raise ProtocolError("this worker speaks version %d of the protocol" % VERSION)
    if role not in ("front", "supervisor"):
        raise ProtocolError("unknown role %r" % (role,))
    return role


class Peer:
    """A connection before its HELLO, or the supervisor's."""

    __slots__ = ("sock", "buffer", "supervisor")

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()
        self.supervisor = False

    def send(self, data):
        # The supervisor always reads; one that stopped must not hold this thread.
        try:
            self.sock.settimeout(5)
            self.sock.sendall(data)
            self.sock.setblocking(False)
        except OSError:
            pass


class Control(threading.Thread):
    """
    Accepts connections, hands those of fronts to the main loop (`adopt(sock, rest)`), and serves the supervisor's
    itself: so STACK is answered and a front can connect also while an app is stuck in the main thread.
    `drain(why)` is called once: DRAIN came, or the last supervisor is gone. `ping(answer)` may defer a PONG to the
    main loop, so that a missed one means a stuck loop. `depth()` is what a PONG says: exchanges that still run.
    """

    def __init__(self, listener, greeting, adopt, drain, stack, ping=None, depth=None):
        super().__init__(name="edge-control", daemon=True)
        self.listener = listener
        self.greeting = greeting
        self.adopt = adopt
        self.drain = drain
        self.stack = stack
        self.ping = ping or (lambda answer: answer())
        self.depth = depth or (lambda: 0)
        self.selector = selectors.DefaultSelector()
        self.supervisors = 0
        # Connections before their HELLO; a supervisor that is replaced closes while its successor says HELLO.
        self.unknown = 0
        self.supervised = False
        self.drained = False
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, None)

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    self.accept()
                else:
                    self.readable(key.data)

    def accept(self):
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        try:
            sock.send(self.greeting)
        except OSError:
            sock.close()
            return
        self.unknown += 1
        self.selector.register(sock, selectors.EVENT_READ, Peer(sock))

    def readable(self, peer):
        try:
            data = peer.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close(peer)
            return
        peer.buffer += data
        try:
            while self.next_frame(peer):
                pass
        except ProtocolError as error:
            peer.send(fatal(str(error)))
            self.close(peer)

    def next_frame(self, peer):
        """Handles one frame; False when there is no whole one, or when the connection now belongs to the main loop."""
        buffer = peer.buffer
        if len(buffer) < HEADER:
            return False
        length, _, _, kind, _, _ = unpack_from(buffer)
        if length > MAX_PAYLOAD:
            raise ProtocolError("frame of %d bytes" % length)
        if len(buffer) < HEADER + length:
            return False
        payload = bytes(buffer[HEADER : HEADER + length])
        del buffer[: HEADER + length]
        if peer.supervisor:
            self.command(peer, kind, payload)
            return True
        if kind != HELLO:
            raise ProtocolError("HELLO comes first")
        role = read_hello(payload)
        self.unknown -= 1
        if role == "supervisor":
            peer.supervisor = self.supervised = True
            self.supervisors += 1
            return True
        self.end_if_orphan()
        self.selector.unregister(peer.sock)
        self.adopt(peer.sock, bytes(buffer))
        return False

    def command(self, peer, kind, payload):
        if kind == PING:
            self.ping(lambda: peer.send(pack(len(payload), 0, 0, PONG, 0, min(self.depth(), 65535)) + payload))
        elif kind == STACK:
            text = self.stack_text().encode("utf-8", "replace")[:MAX_PAYLOAD]
            peer.send(pack(len(text), 0, 0, STACK, 0, 0) + text)
        elif kind == DRAIN:
            self.begin_drain("DRAIN")
        elif kind not in (HELLO, PONG):
            raise ProtocolError("frame of type %d from the supervisor" % kind)

    def stack_text(self):
        try:
            return self.stack()
        except Exception:
            # The threads go on while they are looked at; this one must live.
            return traceback.format_exc()

    def close(self, peer):
        try:
            self.selector.unregister(peer.sock)
        except KeyError:
            pass
        peer.sock.close()
        if peer.supervisor:
            self.supervisors -= 1
        else:
            self.unknown -= 1
        self.end_if_orphan()

    def end_if_orphan(self):
        if self.drained or not self.supervised or self.supervisors > 0:
            return
        # The successor may be in the backlog still.
        self.accept()
        if self.unknown == 0:
            self.begin_drain("the supervisor is gone")

    def begin_drain(self, why):
        if not self.drained:
            self.drained = True
            self.selector.unregister(self.listener)
            self.drain(why)


    def forget(self):
        """In a child that the app forked, where this thread does not run: its descriptors are the parent's."""
        sockets = [key.fileobj for key in self.selector.get_map().values()]
        self.selector.close()
        for sock in {self.listener, *sockets}:
            if sock.fileno() >= 0:
                os.close(sock.detach())


def inherited_listener(fd=3):
    """The listening unix socket that the supervisor hands over."""
    listener = socket.socket(fileno=fd)
    listener.set_inheritable(False)
    return listener
