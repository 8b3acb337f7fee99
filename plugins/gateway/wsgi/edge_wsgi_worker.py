"""The life of a WSGI worker: its app is imported, perhaps forked, then served until it is drained."""

import gc
import os
import sys

from edge_boot import enable_faulthandler, load_or_exit, redirect_streams, stacks
from edge_fork import fork_workers
from edge_frames import Control, hello, inherited_listener
from edge_wsgi_server import Server


def run(entry, directory, threads, workers):
    redirect_streams()
    enable_faulthandler()
    listener = inherited_listener()
    app = load_or_exit(entry, directory, ("application", "app"))
    if "EDGE_FORK" in os.environ:
        listener = fork_workers(listener, os.environ.pop("EDGE_FORK"))
    # What was made at boot stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    server = Server(app, threads, workers != "1", os.environ.get("EDGE_DEV") == "1")
    greeting = hello("wsgi", threads)
    server.control = Control(listener, greeting, server.adopt, server.drain, lambda: stacks(server.doing), depth=server.depth)
    server.control.start()
    server.run()
    sys.exit(0)
