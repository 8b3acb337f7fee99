/** Plain HTTP on a TLS address (http://HOST:443/): an answer that says so, as nginx and Go give, in place of a reset. */
import { writeSync } from "node:fs"
import type { TlsSocket } from "./tls.ts"

const body = "400 Bad Request: plain HTTP was sent to an address that speaks HTTPS\n"
const answer = `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`

/** BoringSSL names it for GET, POST, HEAD and PUT. To other methods it answers a TLS alert, behind which no text can stand. */
export function isPlainHttp(error: Error | null): boolean {
  return error?.message.endsWith(":HTTP_REQUEST") === true
}

/** Past TLS, to the descriptor: the handshake has written nothing so far. */
export function sayPlainHttp(socket: TlsSocket): void {
  try {
    writeSync(socket.fd, answer)
  } catch {
    // The client is gone.
  }
  socket.end()
}
