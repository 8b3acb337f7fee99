"""The life of a WSGI worker: its app is imported, perhaps forked, then served until it is drained."""

import gc
import os
import sys

from edge_boot import enable_faulthandler, load_or_exit, redirect_streams, stacks
from edge_fork import fork_workers
from edge_frames import Control, hello, inherited_listener
from edge_wsgi_server import Server
from edge_wsgi_sockets import Sockets


def run(entry, directory, threads, workers, websockets):
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
    if websockets != "0":
        path = "%s/ws-%d.sock" % (os.path.dirname(os.path.abspath(sys.argv[0])), os.getpid())
        server.sockets = Sockets(server, path, int(websockets))
        server.sockets.start()
        greeting = hello("wsgi", threads, ws=path, head=True)
    server.control = Control(listener, greeting, server.adopt, server.drain, lambda: stacks(server.doing), depth=server.depth)
    server.control.start()
    server.run()
    if server.sockets is not None:
        os.unlink(server.sockets.path)
    sys.exit(0)
