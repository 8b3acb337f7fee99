import { Hono } from "hono"

const app = new Hono()
app.get("/", c => c.text("hello\n"))
app.get("/json/:id", c => c.json({ id: c.req.param("id"), agent: c.req.header("user-agent") ?? "" }))
app.post("/echo", async c => c.text(await c.req.text()))

export default app
