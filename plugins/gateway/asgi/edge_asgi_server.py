"""The asyncio loop of an ASGI worker: lifespan, fronts, end."""

import asyncio
import os
import signal
import sys
import threading
import time
import traceback

from edge_asgi_exchange import CANCEL_SECONDS
from edge_asgi_front import FrontProtocol
from edge_asgi_scope import LIFESPAN, Scopes
from edge_boot import leave, log, stacks
from edge_signals import guard_forks

# A draining worker still answers what crossed with the DRAIN: until no front is connected, or it was idle so long.
IDLE_SECONDS = 2.0
# How often to look for answers whose head waits for its body: it leaves with that, or at the second look.
HEAD_SECONDS = 0.02
# Without a supervisor nobody would end a worker that is stuck.
ORPHAN_SECONDS = 60.0
# How many of the exchanges under way STACK tells of.
STACKS = 100


class StartupFailed(Exception):
    """The app's lifespan said that it cannot start."""


class Lifespan:
    """The app's lifespan (ASGI lifespan 2.0). An app that does not know it is run without."""

    def __init__(self, app, loop, state):
        self.inbox = asyncio.Queue()
        self.started = loop.create_future()
        self.stopped = loop.create_future()
        scope = {"type": "lifespan", "asgi": LIFESPAN, "state": state}
        self.task = loop.create_task(self.run(app, scope))

    async def run(self, app, scope):
        try:
            await app(scope, self.inbox.get, self.send)
        except BaseException as error:
            if not self.started.done():
                log("edge asgi: the app has no lifespan (%s: %s)" % (type(error).__name__, error), 6)
            elif not isinstance(error, asyncio.CancelledError):
                log("edge asgi: error in lifespan\n%s" % traceback.format_exc())
        for future in (self.started, self.stopped):
            if not future.done():
                future.set_result(None)

    async def send(self, message):
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self.done(self.started)
        elif kind == "lifespan.startup.failed":
            if not self.started.done():
                self.started.set_exception(StartupFailed(message.get("message", "")))
        elif kind == "lifespan.shutdown.complete":
            self.done(self.stopped)
        elif kind == "lifespan.shutdown.failed":
            log("edge asgi: shutdown failed: %s" % message.get("message", ""))
            self.done(self.stopped)
        else:
            raise RuntimeError("unknown message %r" % (kind,))

    def done(self, future):
        if not future.done():
            future.set_result(None)

    async def startup(self):
        self.inbox.put_nowait({"type": "lifespan.startup"})
        await self.started

    async def shutdown(self):
        if not self.task.done():
            self.inbox.put_nowait({"type": "lifespan.shutdown"})
            await self.stopped


class Server:
    # Set before run().
    control = None
    # We are a child that the app forked.
    forked = False

    def __init__(self, app, loop, dev):
        self.app = app
        self.loop = loop
        self.dev = dev
        self.state = {}
        self.scopes = Scopes(self.state)
        self.fronts = set()
        # Connections that are not in `fronts` yet.
        self.coming = 0
        self.draining = None
        self.heads_watched = False
        self.main_thread = threading.get_ident()

    # Called from Control's thread

    def adopt(self, sock, rest):
        self.loop.call_soon_threadsafe(self.take, sock, rest)

    def drain(self, why):
        if why == "the supervisor is gone":
            log("edge asgi: the supervisor is gone; finishing", 6)
            timer = threading.Timer(ORPHAN_SECONDS, leave, (1,))
            timer.daemon = True
            timer.start()
        self.loop.call_soon_threadsafe(self.begin_drain)

    def ping(self, answer):
        """A loop that is stuck must miss it."""
        self.loop.call_soon_threadsafe(answer)

    def stack(self):
        return stacks(self.doing) + self.tasks()

    def doing(self, ident):
        return "the loop" if ident == self.main_thread else ""

    def tasks(self):
        """The exchanges under way, and where each waits."""
        now = time.monotonic()
        parts = []
        exchanges = [x for front in list(self.fronts) for x in list(front.live.values())]
        for x in sorted(exchanges, key=lambda x: x.since)[:STACKS]:
            stack = "".join(traceback.StackSummary.from_list(awaits(x.task)).format()) if x.task is not None else ""
            parts.append("\n%s for %.3f s\n%s" % (x.name(), now - x.since, stack))
        return "".join(parts)

    # The loop

    def take(self, sock, rest):
        self.coming += 1
        self.loop.create_task(self.connect(sock, rest))

    async def connect(self, sock, rest):
        await self.loop.connect_accepted_socket(lambda: FrontProtocol(self, rest), sock)
        self.coming -= 1

    def watch_heads(self):
        self.heads_watched = True
        self.loop.call_later(HEAD_SECONDS, self.look_at_heads)

    def look_at_heads(self):
        """One timer for all: one for each request would cost a microsecond."""
        exchanges = [x for front in self.fronts for x in front.live.values()]
        self.heads_watched = False
        # Every one is looked at, not only up to the first that waits.
        if sum([x.head_waits() for x in exchanges]) > 0:
            self.watch_heads()

    def begin_drain(self):
        if self.draining is not None and not self.draining.done():
            self.draining.set_result(None)

    async def run(self, ready):
        """Until drained. `ready` is called when the app has started; StartupFailed when it cannot."""
        self.draining = self.loop.create_future()
        self.loop.add_signal_handler(signal.SIGTERM, self.begin_drain)
        # A terminal's Ctrl-C reaches the whole group; the supervisor then drains its workers.
        self.loop.add_signal_handler(signal.SIGINT, lambda: None)
        guard_forks(self.forget)
        lifespan = Lifespan(self.app, self.loop, self.state)
        await lifespan.startup()
        ready()
        await self.draining
        await self.finish()
        await lifespan.shutdown()

    def forget(self):
        """
        In a child that the app forked: our sockets are the parent's, else a front would wait for both to end. The transports
        that hold their numbers are not told, so the numbers stay taken.
        """
        self.forked = True
        nothing = os.open(os.devnull, os.O_RDWR)
        for front in self.fronts:
            os.dup2(nothing, front.transport.get_extra_info("socket").fileno(), inheritable=False)
        os.close(nothing)
        self.control.forget()

    async def finish(self):
        idle_since = None
        while self.fronts or self.coming:
            if any(front.live for front in self.fronts):
                idle_since = None
            elif idle_since is None:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > IDLE_SECONDS:
                break
            await asyncio.sleep(0.05)
        for front in list(self.fronts):
            front.close()


def awaits(task):
    """Frames of a task from its outermost coroutine to where it waits: (file, line, function, text)."""
    frames = []
    coroutine = task.get_coro()
    while coroutine is not None and len(frames) < 50:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is None:
            break
        frames.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, None))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return frames


def new_loop():
    """uvloop's when the app's environment has it."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def serve(server, ready):
    """Runs the loop; the exit code of the worker."""
    loop = server.loop
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(server.run(ready))
    except StartupFailed as failed:
        log("the app cannot start: %s" % failed)
        return 3
    # As asyncio.run ends; the loop stays open for what Control's thread still says to it.
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=CANCEL_SECONDS))
    loop.run_until_complete(loop.shutdown_asyncgens())
    return 0
