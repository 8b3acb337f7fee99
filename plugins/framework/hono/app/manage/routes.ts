import { inspectRoutes } from "hono/dev"
import type { AppCommand } from "../part.ts"
import { options } from "./args.ts"

export const routes: AppCommand = {
  name: "routes",
  help: "every route, in the order they are tried; --all shows middleware too",
  run(args, app) {
    const { values } = options(args, { all: { type: "boolean" } })
    const rows = inspectRoutes(app).filter(route => values.all === true || !route.isMiddleware)
    const width = Math.max(4, ...rows.map(row => row.path.length))
    for (const { method, path, name } of rows) {
      const known = name === "[handler]" || name === "[middleware]" ? "" : name
      console.log(`${method.padEnd(7)} ${path.padEnd(width)}  ${known}`.trimEnd())
    }
    return 0
  },
}
