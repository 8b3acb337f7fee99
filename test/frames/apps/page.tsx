import { Hono } from "hono"
import type { Child } from "hono/jsx"
import * as v from "valibot"

const Page = ({ children }: { children: Child }) => <main>{children}</main>
const app = new Hono()
app.get("/", c => c.html(<Page>{v.parse(v.string(), "<escaped>")}</Page>))
app.get("/facts", c => {
  const { ip, scheme, prefix } = c.env as unknown as { ip: string; scheme: string; prefix: string }
  return c.json({ ip, scheme, prefix, url: c.req.url })
})

export default app
