"""What a request and a WebSocket share: their task, their credit, and their end."""

import asyncio
import sys
import time

from edge_boot import exit_code, leave, log, trace
from edge_frames import CREDIT, CREDIT_STEP, END, ERROR, FIRST_CREDIT

# An app that does not end by itself by its deadline, with its client or without, is cancelled so long after.
CANCEL_SECONDS = 5.0
# That there is no deadline.
FOREVER = 0x7FFFFFFF
# With eager start an app that never waits answers without a round of the loop.
EAGER = sys.version_info >= (3, 12)


class ClientGone(ConnectionResetError):
    """The client is gone, or the deadline passed (an OSError, as ASGI 2.4 asks)."""


def comes_of_leaving(error):
    """Is it what a framework made of our ClientGone (Starlette: ClientDisconnect)? Every client that leaves would be an error."""
    while error is not None:
        if isinstance(error, ClientGone):
            return True
        error = error.__cause__ or error.__context__
    return False


class Exchange:
    granted = FIRST_CREDIT
    spent = 0
    # Bytes that the app took and that are not granted back yet.
    consumed = 0
    cancelled = False
    # A frame with END left.
    done = False
    # Future of whoever waits in receive() or send(): each has one at a time as a rule.
    waiters = ()
    task = None
    # DATA or close from the front came with its END.
    body_ended = False

    def __init__(self, front, id, head):
        self.front = front
        self.id = id
        self.head = head
        self.since = time.monotonic()

    def start(self, scope):
        coroutine = self.run(self.front.server.app(scope, self.receive, self.send))
        loop = self.front.server.loop
        if EAGER:
            self.task = asyncio.Task(coroutine, loop=loop, eager_start=True)
        else:
            self.task = loop.create_task(coroutine)

    async def run(self, app):
        try:
            await app
        except asyncio.CancelledError:
            if not self.cancelled:
                self.crash("was cancelled")
        except ClientGone:
            # Raised by our own send(): not the app's error.
            pass
        except BaseException as error:
            if self.front.server.forked:
                leave(exit_code(error))
            if not self.cancelled or not comes_of_leaving(error):
                self.crash(trace())
        if self.front.server.forked:
            # A child that the app forked came out of it: it must not go on as a second worker.
            leave(0)
        if not self.done:
            if self.cancelled:
                self.fail("cancelled")
            else:
                self.unfinished()

    def crash(self, text):
        log("edge asgi: error in %s\n%s" % (self.name(), text))
        if not self.done and not self.cancelled:
            self.failed(text)

    def fail(self, text):
        """Ends the exchange with ERROR."""
        self.done = True
        self.front.emit(self, ERROR, END, text.encode("utf-8", "replace")[:1024])

    def cancel(self, left_ms=0):
        """The client is gone, or the front, or the deadline passed. The app is told, and may end what it does by then."""
        if self.cancelled:
            return
        self.cancelled = True
        self.ring()
        if left_ms != FOREVER:
            self.front.server.loop.call_later(left_ms / 1000 + CANCEL_SECONDS, self.give_up)

    def give_up(self):
        if self.task is not None and not self.done:
            self.task.cancel()

    def head_waits(self):
        """An answer was begun, and its head has not left."""
        return False

    # Waiting

    def ring(self):
        """Something came: wakes who waits for it."""
        waiters = self.waiters
        self.waiters = ()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self):
        waiter = self.front.server.loop.create_future()
        self.waiters = (*self.waiters, waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            # An app that asks every moment whether its client has left: each look must not be kept.
            self.waiters = tuple(other for other in self.waiters if other is not waiter)
            raise

    async def room(self):
        """Bytes that may be sent now, at least 1; ClientGone when nobody will read them."""
        while self.granted == self.spent or self.front.full:
            if self.cancelled:
                raise ClientGone("the client is gone")
            await self.wait()
        return self.granted - self.spent

    def took(self, size):
        """The app has `size` bytes more: the front may send as many, in steps."""
        self.consumed += size
        if self.consumed >= CREDIT_STEP and not self.body_ended:
            self.front.emit(self, CREDIT, 0, b"", self.consumed)
            self.consumed = 0

    def name(self):
        return "%s %s" % (self.head[0], self.head[1])
