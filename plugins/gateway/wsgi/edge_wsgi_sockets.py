"""
WebSockets of a WSGI app. The front sends what asks for one over a connection of its own (docs/worker-protocol.md, "ws"); the app
finds that connection's socket in the environ, where simple-websocket looks for it with Werkzeug and with Gunicorn, shakes hands
itself and speaks frames. Each has a thread of its own and holds none of those that answer requests.
"""

import base64
import io
import os
import socket
import threading
import traceback
from time import monotonic

from edge_boot import log
from edge_wsgi_head import check_head

# The head is there at once: the front writes it in one piece.
HEAD_SECONDS = 5.0
HEAD_BYTES = 1 << 20
FACTS = b"\r\nedge-head: "
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 20\r\n\r\nService Unavailable\n"
)


class AppSocket(socket.socket):
    """The client's bytes. Whoever uses it has taken it: what the app returns then is not an answer any more."""

    taken = False

    def take(name):
        method = getattr(socket.socket, name)

        def call(self, *args, **kwargs):
            self.taken = True
            return method(self, *args, **kwargs)

        call.__name__ = name
        return call

    for name in ("send", "sendall", "sendmsg", "recv", "recv_into", "recvmsg", "makefile", "dup", "detach"):
        locals()[name] = take(name)
    del name, take


class Sockets:
    """At most `most` threads, each with one WebSocket or one request for one."""

    def __init__(self, server, path, most):
        self.server = server
        self.path = path
        self.most = most
        # Thread -> (name of the request, since when, its socket).
        self.open = {}
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        # Fronts of another user connect too; the folder keeps out everybody else.
        os.chmod(path, 0o666)
        self.listener.listen(128)
        self.warned = False

    def start(self):
        threading.Thread(target=self.accept, name="edge-sockets", daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                if self.listener.fileno() < 0:
                    return
                # Out of descriptors: they come back.
                threading.Event().wait(0.1)
                continue
            with self.lock:
                full = len(self.open) >= self.most
                if not full:
                    thread = threading.Thread(target=self.serve, args=(sock,), name="edge-websocket", daemon=True)
                    self.open[thread] = ("a WebSocket", monotonic(), sock)
            if full:
                self.refuse(sock)
                continue
            try:
                thread.start()
            except RuntimeError:
                # No more threads to be had.
                self.open.pop(thread, None)
                self.refuse(sock)

    def refuse(self, sock):
        if not self.warned:
            self.warned = True
            log("edge wsgi: all %d WebSockets of this worker are open (`websockets`): 503; said once" % self.most, 4)
        try:
            sock.settimeout(HEAD_SECONDS)
            read_head(sock)
            sock.sendall(FULL)
        except OSError:
            pass
        sock.close()

    def doing(self, ident):
        for thread, (name, since, _) in list(self.open.items()):
            if thread.ident == ident:
                return "%s for %.3f s" % (name, monotonic() - since)
        return ""

    def cut(self):
        """Ends all: their threads see the end. The bytes are the app's, so no close is written into them."""
        for _, _, sock in list(self.open.values()):
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                pass

    def forget(self):
        """In a child that the app forked: the client must see the end when we, the parent, close."""
        for sock in [self.listener, *[sock for _, _, sock in self.open.values()]]:
            if sock.fileno() >= 0:
                os.close(socket.socket.detach(sock))
        self.open = {}

    # In a thread of its own

    def serve(self, sock):
        thread = threading.current_thread()
        ours = AppSocket(fileno=sock.detach())
        try:
            ours.settimeout(HEAD_SECONDS)
            head = facts_of(read_head(ours))
            ours.settimeout(None)
            self.open[thread] = ("%s %s" % (head[0], head[1]), self.open[thread][1], ours)
            Handshake(self.server, ours, head).run()
        except OSError:
            # The front is gone, or sent no head.
            pass
        except BaseException:
            log("edge wsgi: a WebSocket failed\n%s" % traceback.format_exc())
        finally:
            if self.server.forked:
                os._exit(0)
            self.open.pop(thread, None)
            try:
                # A thread of the app may still read: it sees the end.
                socket.socket.shutdown(ours, socket.SHUT_RDWR)
            except OSError:
                pass
            ours.close()
            if self.server.draining:
                self.server.wake()


def read_head(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        # Of the plain class: AppSocket would take it for a use by the app.
        chunk = socket.socket.recv(sock, 65536)
        if not chunk or len(data) > HEAD_BYTES:
            raise OSError("no head")
        data += chunk
    return data


def facts_of(data):
    """The head of a REQUEST frame that the front sent in place of the client's."""
    at = data.lower().find(FACTS)
    if at < 0:
        raise OSError("no edge-head")
    at += len(FACTS)
    return base64.b64decode(data[at : data.index(b"\r\n", at)]).decode("latin-1").split("\0")


class Handshake:
    """One request for a WebSocket: the app takes the socket, or gives an ordinary answer."""

    def __init__(self, server, sock, head):
        self.server = server
        self.sock = sock
        self.head = head
        self.answer = None
        self.code = 0
        self.length = -1
        self.started = False
        self.sent = 0

    def run(self):
        environ = self.server.environs.make(self.head)
        environ["HTTP_CONNECTION"] = "Upgrade"
        environ["HTTP_UPGRADE"] = "websocket"
        environ["wsgi.multithread"] = True
        environ["wsgi.input"] = io.BytesIO()
        environ["werkzeug.socket"] = environ["gunicorn.socket"] = self.sock
        result = None
        try:
            result = self.server.app(environ, self.start_response)
            if not self.sock.taken:
                if type(result) is list or type(result) is tuple:
                    self.whole(b"".join(result))
                else:
                    for chunk in result:
                        self.write(chunk)
                    self.finish()
        except BaseException as error:
            if self.server.forked:
                raise
            # Engine.IO says by StopIteration (Gunicorn) or ConnectionError (Werkzeug) that it has served the socket.
            if not (self.sock.taken and isinstance(error, (StopIteration, OSError))):
                self.crash()
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def crash(self):
        log("edge wsgi: error in the WebSocket %s %s\n%s" % (self.head[0], self.head[1], traceback.format_exc()))
        if self.sock.taken or self.started:
            return
        text = traceback.format_exc() if self.server.dev else "Internal Server Error\n"
        self.code, self.answer, self.length = 500, b"500\0\0Content-Type\0text/plain; charset=utf-8", -1
        self.whole(text.encode("utf-8", "replace"))

    # An ordinary answer

    def start_response(self, status, headers, exc_info=None):
        if exc_info is not None:
            try:
                if self.started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.answer is not None:
            raise AssertionError("start_response was called before; only an error may replace the headers")
        self.code, self.answer, self.length = check_head(status, headers)
        return self.write

    def whole(self, body):
        if self.answer is not None and not self.started and self.length < 0 and self.code not in (204, 304):
            self.length = len(body)
            self.answer += b"\0Content-Length\0%d" % self.length
        self.write(body)
        self.finish()

    def write(self, data):
        if self.sock.taken or not data:
            return
        if self.answer is None:
            raise AssertionError("the body began before start_response was called")
        if not self.started:
            self.begin()
        if self.code in (204, 304):
            return
        self.sent += len(data)
        self.put(data if self.length >= 0 else b"%x\r\n%b\r\n" % (len(data), data))

    def begin(self):
        self.started = True
        status, reason, *fields = self.answer.split(b"\0")
        lines = [b"HTTP/1.1 %b %b" % (status, reason)]
        # check_head lets `close` pass, which we say ourselves.
        lines += [b"%b: %b" % pair for pair in zip(fields[::2], fields[1::2]) if pair[0].lower() != b"connection"]
        lines.append(b"Connection: close")
        if self.length < 0 and self.code not in (204, 304):
            lines.append(b"Transfer-Encoding: chunked")
        self.put(b"\r\n".join(lines) + b"\r\n\r\n")

    def finish(self):
        if self.sock.taken:
            return
        if self.answer is None:
            raise AssertionError("start_response was not called")
        if not self.started:
            self.begin()
        if self.code in (204, 304):
            return
        if self.length < 0:
            self.put(b"0\r\n\r\n")
        elif self.sent != self.length:
            log("edge wsgi: body of %s %s has %d bytes of %d" % (self.head[0], self.head[1], self.sent, self.length))

    def put(self, data):
        # Not through AppSocket: this is no use by the app.
        socket.socket.sendall(self.sock, data)
