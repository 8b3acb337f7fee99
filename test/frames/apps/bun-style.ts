export default {
  fetch(request: Request, server: { requestIP(r: Request): { address: string } | null; upgrade(r: Request): boolean }) {
    if (server.upgrade(request)) return undefined
    return new Response(`bun ${server.requestIP(request)?.address}`)
  },
  websocket: {
    message(ws: { send(m: string): void }, message: string) {
      ws.send(message.toUpperCase())
    },
  },
}
