import { createHash } from "node:crypto"
import { Hono } from "hono"

const app = new Hono()
const aborted: string[] = []

app.get("/", c => c.text("hello"))
app.post("/echo", c => new Response(c.req.raw.body, { headers: { "X-Echo": "1" } }))
app.post("/hash", async c => {
  const hash = createHash("sha256")
  let bytes = 0
  for await (const chunk of c.req.raw.body!) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return c.json({ bytes, sha256: hash.digest("hex") })
})
/** `mb` megabytes, each of one letter. */
app.get("/big/:mb", c => {
  let left = Number(c.req.param("mb"))
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(1024 * 1024).fill(97))
        else controller.close()
      },
    }),
  )
})
app.get("/text/:kb", c => c.text("ż".repeat(Number(c.req.param("kb")) * 512)))
app.get("/file", () => new Response(Bun.file(import.meta.path)))
app.post("/ignore", c => c.text("not read"))
app.get("/slow/:ms", async c => {
  await Bun.sleep(Number(c.req.param("ms")))
  return c.text("slept")
})
app.get("/hang", c => {
  c.req.raw.signal.addEventListener("abort", () => aborted.push(c.req.query("who") ?? ""))
  return new Promise<Response>(() => {})
})
app.get("/drip", c => {
  const who = c.req.query("who") ?? ""
  return new Response(
    new ReadableStream({
      async pull(controller) {
        await Bun.sleep(5)
        controller.enqueue(new TextEncoder().encode("drip\n"))
      },
      cancel() {
        aborted.push(who)
      },
    }),
  )
})
app.get("/aborted", c => c.json(aborted))
app.get("/throw", () => {
  throw new Error("thrown in the app")
})
app.get("/break", () => {
  let n = 0
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (n++ < 2) controller.enqueue(new TextEncoder().encode("part"))
        else controller.error(new Error("broken in the middle"))
      },
    }),
  )
})
app.get("/die", c => {
  setTimeout(() => process.kill(process.pid, "SIGKILL"), 50)
  return c.req.query("after") === "head" ? new Response(new ReadableStream({ start: s => s.enqueue(new Uint8Array(10)) })) : new Promise<Response>(() => {})
})
app.get("/reject", c => {
  void Promise.reject(new Error("nobody waits for this"))
  return c.text("answered all the same")
})
app.get("/headers/:kb", c => {
  c.header("X-Big", "x".repeat(Number(c.req.param("kb")) * 1024))
  return c.text("big")
})
app.get("/split", () => ({ status: 200 }) as Response)
app.get("/memory", c => c.json({ rss: process.memoryUsage.rss() }))
app.get("/env", c => c.json(Object.keys(process.env).filter(name => /^(BUN_|EDGE_)/.test(name))))

export default app
