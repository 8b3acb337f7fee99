"""The life of an ASGI worker: its app is imported, perhaps forked, then served until it is drained."""

import gc
import os
import sys

from edge_asgi_server import Server, new_loop, serve
from edge_boot import enable_faulthandler, leave, load_or_exit, redirect_streams
from edge_fork import fork_workers
from edge_frames import Control, hello, inherited_listener


def run(entry, directory, concurrency):
    redirect_streams()
    enable_faulthandler()
    listener = inherited_listener()
    app = load_or_exit(entry, directory, ("application", "app"))
    if "EDGE_FORK" in os.environ:
        listener = fork_workers(listener, os.environ.pop("EDGE_FORK"))
    loop = new_loop()
    server = Server(app, loop, os.environ.get("EDGE_DEV") == "1")
    server.control = Control(
        listener, hello("asgi", concurrency, messages=True), server.adopt, server.drain, server.stack, server.ping
    )

    def ready():
        # What was made at boot stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        server.control.start()

    code = serve(server, ready)
    if code:
        leave(code)
    # Not os._exit: what the app registered with atexit runs, and its pools of processes end in order.
    sys.exit(0)
