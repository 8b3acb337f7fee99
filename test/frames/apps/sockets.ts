import { Hono } from "hono"
import { getConnInfo, upgradeWebSocket, websocket } from "hono/bun"

const app = new Hono()
app.get("/", c => c.text(`no socket for ${getConnInfo(c).remote.address}`))
app.get("/refused", c => c.text("not for you", 403))
app.get(
  "/ws",
  upgradeWebSocket(c => {
    const { ip, scheme, prefix } = c.env as unknown as { ip: string; scheme: string; prefix: string }
    return {
      onOpen: (_event, ws) => ws.send(JSON.stringify({ ip, scheme, prefix, leaked: c.req.header("edge-facts") ?? null })),
      onMessage: (event, ws) => ws.send(event.data as string),
      onClose: (event: CloseEvent) => console.log(`closed ${event.code}`),
    }
  }),
)

export default { fetch: app.fetch, websocket }
