/** The same app on Bun.serve alone: `bare.ts unix PATH` behind nginx, `bare.ts port` by itself. Prints where it listens. */
import app from "./app.ts"

const [how, path] = process.argv.slice(2)
const where = how === "unix" ? { unix: path! } : { hostname: "127.0.0.1", port: 0 }
const server = Bun.serve({ ...where, development: false, fetch: request => app.fetch(request) })
console.log(how === "unix" ? path : server.port)
