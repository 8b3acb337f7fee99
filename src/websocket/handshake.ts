/** The server's side of the opening handshake (RFC 6455, 4.2). */
import { createHash } from "node:crypto"
import type { Exchange } from "../http/message/exchange.ts"
import { HttpError } from "../http/message/errors.ts"

/** RFC 6455, 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
const KEY = /^[A-Za-z0-9+/]{22}==$/

/** Throws the HttpError to refuse with when the client's handshake is not one. */
export function checkHandshake(x: Exchange): void {
  const { headers } = x
  const options = headers.get("connection")?.toLowerCase().split(",").map(option => option.trim()) ?? []
  if (!options.includes("upgrade")) throw new HttpError(400, "a WebSocket needs Connection: Upgrade")
  if (x.body !== null) throw new HttpError(400, "a WebSocket handshake has no body", { close: true })
  if (headers.get("sec-websocket-version") !== "13") {
    throw new HttpError(426, "only WebSocket version 13 is spoken", {
      headers: [["Sec-WebSocket-Version", "13"]],
    })
  }
  if (!KEY.test(headers.get("sec-websocket-key") ?? "")) throw new HttpError(400, "the Sec-WebSocket-Key is malformed")
}

/** The 101 as it goes to the client; `flat` are the app's header lines. */
export function acceptHead(x: Exchange, flat: readonly string[]): Buffer {
  const accept = createHash("sha1").update(x.headers.get("sec-websocket-key")! + GUID).digest("base64")
  let text = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n`
  for (let i = 0; i < flat.length; i += 2) if (!OURS.test(flat[i]!)) text += `${flat[i]}: ${flat[i + 1]}\r\n`
  return Buffer.from(`${text}\r\n`, "latin1")
}

/** No extension is spoken, whatever the app may say. */
const OURS = /^sec-websocket-(?:accept|extensions|key|version)$|^content-length$/i
