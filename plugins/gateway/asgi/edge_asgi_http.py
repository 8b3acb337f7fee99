"""One HTTP request of an ASGI app."""

from collections import deque

from edge_asgi_exchange import ClientGone, Exchange
from edge_asgi_head import check_head
from edge_boot import error_page, log
from edge_frames import DATA, EARLY, END

# Largest piece of a body in one frame.
PIECE = 262144


class HttpExchange(Exchange):
    # The last http.request was given to the app.
    body_given = False
    # Bytes of the RESPONSE head, its Content-Length (-1: none), whether it left, and the bytes of body sent.
    answer = None
    status = 0
    length = -1
    started = False
    sent = 0
    # The server has seen the head wait for its body.
    head_seen = False

    def __init__(self, front, id, head, body, ended):
        super().__init__(front, id, head)
        self.body = deque((body,) if body else ())
        self.body_ended = bool(ended)

    # What the app calls

    async def receive(self):
        if not self.body_given:
            while not self.body and not self.body_ended:
                if self.cancelled:
                    return {"type": "http.disconnect"}
                await self.wait()
            body = self.body.popleft() if self.body else b""
            more = bool(self.body) or not self.body_ended
            self.body_given = not more
            self.took(len(body))
            return {"type": "http.request", "body": body, "more_body": more}
        while not self.cancelled and not self.done:
            await self.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        kind = message["type"]
        if self.cancelled:
            raise ClientGone("the client is gone")
        if kind == "http.response.body":
            if self.answer is None:
                raise RuntimeError("http.response.body came before http.response.start")
            if self.done:
                if not self.complete:
                    return
                raise RuntimeError("http.response.body came after the last one")
            body = message.get("body", b"")
            more = message.get("more_body", False)
            if not more:
                self.complete = True
            if self.started or len(body) > PIECE:
                await self.stream(body, more)
            else:
                self.first(body, more)
        elif kind == "http.response.start":
            if self.answer is not None:
                raise RuntimeError("http.response.start came twice")
            self.status = message["status"]
            self.answer, self.length = check_head(self.status, message.get("headers", ()))
            if not self.front.server.heads_watched:
                self.front.server.watch_heads()
        elif kind == "http.response.early_hint":
            head, _ = check_head(103, [(b"Link", link) for link in message["links"]], least=103)
            self.front.emit(self, EARLY, 0, head, len(head))
        else:
            raise RuntimeError("unknown message %r" % (kind,))

    # The app said more_body = False.
    complete = False

    # The answer

    def has_no_body(self):
        return self.head[0] == "HEAD" or self.status == 204 or self.status == 304

    def first(self, body, more):
        """RESPONSE with the first piece of the body, which is mostly all of it."""
        size = len(body)
        if self.has_no_body():
            if not more and self.length < 0 and self.head[0] == "HEAD" and size:
                self.answer += b"\0Content-Length\0%d" % size
            self.respond(b"", END)
        elif self.length < 0:
            if more:
                self.respond(body, 0)
            else:
                self.answer += b"\0Content-Length\0%d" % size
                self.respond(body, END)
        elif size < self.length:
            if more:
                self.respond(body, 0)
            else:
                # As far as it goes, like WSGI: the end says that it is not all.
                self.respond(body, 0)
                self.too_short(size)
        else:
            if size > self.length:
                body = self.truncated(body)
            self.respond(body, END)

    def respond(self, body, flags):
        self.started = True
        self.sent = self.spent = len(body)
        self.front.emit_head(self.id, self.answer, flags, bytes(body))
        if flags:
            self.end()

    def head_waits(self):
        """A head that has waited since the last look leaves without its body: that of a stream may be long in coming."""
        if self.answer is None or self.started or self.done or self.cancelled:
            return False
        if not self.head_seen:
            self.head_seen = True
            return True
        self.respond(b"", END if self.has_no_body() or self.length == 0 else 0)
        return False

    async def stream(self, body, more):
        """Pieces as credit comes."""
        if self.length >= 0 and self.sent + len(body) > self.length:
            body = self.truncated(body)
        if not self.started:
            if self.has_no_body() or (self.length < 0 and not more):
                if not self.has_no_body():
                    self.answer += b"\0Content-Length\0%d" % len(body)
                    self.length = len(body)
                else:
                    self.first(body, more)
                    return
            self.respond(body[:PIECE], 0)
            body = body[PIECE:]
        view = memoryview(body)
        at = 0
        size = len(body)
        while at < size:
            n = min(await self.room(), PIECE, size - at)
            self.sent += n
            self.spent += n
            last = self.sent == self.length or (at + n == size and not more and self.length < 0)
            self.front.emit(self, DATA, END if last else 0, bytes(view[at : at + n]))
            at += n
            if last:
                self.end()
                return
        if not more and not self.done:
            if self.sent < self.length:
                self.too_short(self.sent)
            else:
                self.front.emit(self, DATA, END, b"")
                self.end()

    def end(self):
        self.done = True
        self.ring()

    def truncated(self, body):
        log("edge asgi: %s gave more than its Content-Length of %d bytes; the rest is not sent"
            % (self.name(), self.length))
        return body[: self.length - self.sent]

    def too_short(self, size):
        self.fail("body of %s ended after %d bytes of %d" % (self.name(), size, self.length))

    def unfinished(self):
        """The app returned without the end of its answer."""
        if self.answer is None:
            self.crash("the app returned without an answer")
        elif self.complete:
            return
        else:
            log("edge asgi: %s returned before the end of its answer" % self.name())
            self.fail("the app returned before the end of its answer")

    def failed(self, text):
        """500 while that can still be said, else the answer is cut so that it does not look whole."""
        if self.started:
            self.fail("the app raised an exception after its headers")
            return
        kind, body = b"text/plain; charset=utf-8", b"Internal Server Error\n"
        if self.front.server.dev:
            kind, body = error_page(self.head, text)
        self.answer = b"500\0\0Content-Type\0" + kind
        self.status = 500
        self.length = -1
        self.first(body[:PIECE], False)
