import { definePlugin, missingModule, pythonFrames, pythonOptions } from "edge"
import * as v from "valibot"
import connection from "./edge_wsgi_connection.py" with { type: "text" }
import environ from "./edge_wsgi_environ.py" with { type: "text" }
import exchange from "./edge_wsgi_exchange.py" with { type: "text" }
import head from "./edge_wsgi_head.py" with { type: "text" }
import input from "./edge_wsgi_input.py" with { type: "text" }
import server from "./edge_wsgi_server.py" with { type: "text" }
import sockets from "./edge_wsgi_sockets.py" with { type: "text" }
import life from "./edge_wsgi_worker.py" with { type: "text" }
import worker from "./worker.py" with { type: "text" }

/** Names in {run}; the prefix keeps them apart from the app's own modules. */
const files = {
  ...pythonFrames,
  "edge_wsgi_connection.py": connection,
  "edge_wsgi_environ.py": environ,
  "edge_wsgi_exchange.py": exchange,
  "edge_wsgi_head.py": head,
  "edge_wsgi_input.py": input,
  "edge_wsgi_server.py": server,
  "edge_wsgi_sockets.py": sockets,
  "edge_wsgi_worker.py": life,
  "worker.py": worker,
}

/** Runs a WSGI application (PEP 3333) in Python processes. */
export default definePlugin({
  name: "wsgi",
  kind: "runtime",
  config: v.strictObject({
    ...pythonOptions,
    threads: v.pipe(
      v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 1),
      v.description("requests that one worker runs at once, each in a thread"),
    ),
    websockets: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(0),
        v.maxValue(10_000),
        v.description("WebSockets that one worker may have open, each in a thread of its own beside `threads`; default 100 where threads are more than 1, else 0"),
      ),
    ),
  }),
  setup(config, ctx) {
    // An app that runs in one thread need not bear two at once.
    const websockets = config.websockets ?? (config.threads > 1 ? 100 : 0)
    const python = config.python.includes("/") ? ctx.resolve(config.python) : config.python
    return {
      part: {
        concurrency: config.threads,
        launch: app => ({
          argv: [python, "{run}/worker.py", config.entry, app.dir, String(config.threads), mostWorkers(app.options.gateway.workers), String(websockets)],
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

/** How many there may be, for wsgi.multiprocess: of a gateway that does not say so, many. */
function mostWorkers(workers: unknown): string {
  const most = typeof workers === "object" && workers !== null && "max" in workers ? workers.max : workers
  return typeof most === "number" ? String(most) : "many"
}
