import { Hono } from "hono"
import { streamSSE } from "hono/streaming"

const app = new Hono()

/** One line a second, for as long as the browser listens. */
app.get("/events", c =>
  streamSSE(c, async stream => {
    for (let n = 1; !stream.aborted; n++) {
      await stream.writeSSE({ event: "tick", data: JSON.stringify({ n, time: new Date().toISOString(), pid: process.pid }) })
      await stream.sleep(1000)
    }
  }),
)

app.get("/", c => c.json({ app: "live", runs: "inside the front", pid: process.pid }))

export default app
