import { definePlugin, missingModule, pythonFrames, pythonOptions } from "edge"
import * as v from "valibot"
import exchange from "./edge_asgi_exchange.py" with { type: "text" }
import front from "./edge_asgi_front.py" with { type: "text" }
import head from "./edge_asgi_head.py" with { type: "text" }
import http from "./edge_asgi_http.py" with { type: "text" }
import scope from "./edge_asgi_scope.py" with { type: "text" }
import server from "./edge_asgi_server.py" with { type: "text" }
import socket from "./edge_asgi_socket.py" with { type: "text" }
import life from "./edge_asgi_worker.py" with { type: "text" }
import worker from "./worker.py" with { type: "text" }

/** Names in {run}; the prefix keeps them apart from the app's own modules. */
const files = {
  ...pythonFrames,
  "edge_asgi_exchange.py": exchange,
  "edge_asgi_front.py": front,
  "edge_asgi_head.py": head,
  "edge_asgi_http.py": http,
  "edge_asgi_scope.py": scope,
  "edge_asgi_server.py": server,
  "edge_asgi_socket.py": socket,
  "edge_asgi_worker.py": life,
  "worker.py": worker,
}

/** Runs an ASGI 3 application in Python processes, each with one asyncio loop. */
export default definePlugin({
  name: "asgi",
  kind: "runtime",
  config: v.strictObject(pythonOptions),
  setup(config, ctx) {
    const python = config.python.includes("/") ? ctx.resolve(config.python) : config.python
    return {
      part: {
        concurrency: 100,
        launch: app => ({
          argv: [python, "{run}/worker.py", config.entry, app.dir, String(app.concurrency)],
          cwd: app.dir,
          env: ctx.dev ? { ...app.env, EDGE_DEV: "1" } : app.env,
          transport: "frames",
          socket: "inherit",
          preload: config.preload,
          files,
        }),
        check: app => {
          const why = missingModule(app, { python, entry: config.entry })
          return why === undefined ? undefined : { key: "entry", why }
        },
      },
    }
  },
})
