"""
A WSGI worker of edge: worker.py ENTRY DIR THREADS WORKERS WEBSOCKETS; descriptor 3 is a listening unix socket.
It speaks the worker protocol, version 1. Python 3.9 or newer, and nothing beside it.

It is the `__main__` of the app, which multiprocessing runs once more (as `__mp_main__`) in every process that it spawns
or its fork server makes: there, and to an app that looks at `__main__`, this file is nothing but one function.
"""

import sys


def main():
    folder = __file__.rpartition("/")[0]
    if sys.path[:1] != [folder]:
        # PYTHONSAFEPATH leaves it out.
        sys.path.insert(0, folder)
    from edge_boot import take_arguments
    from edge_wsgi_worker import run

    run(*take_arguments())


if __name__ == "__main__":
    main()
