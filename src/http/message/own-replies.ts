import { HeaderList } from "./headers.ts"
import { Reply } from "./reply.ts"
import { reasonOf } from "./status.ts"
import { ByteStream } from "./stream.ts"

/** The standard words and no more: what went wrong inside is nobody's business outside. */
export function plainReply(status: number): Reply {
  return Reply.text(status, `${status} ${reasonOf(status)}\n`)
}

/** With why it was refused: that is the client's business. */
export function refusal(status: number, why: string): Reply {
  return Reply.text(status, `${status} ${reasonOf(status)}: ${why}\n`)
}

const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/** TRACE shows a client's cookies to its scripts; a tunnel to anywhere is no server's business; `OPTIONS *` is a ping. */
export function ownReply(method: string, target: string): Reply | undefined {
  if (method === "CONNECT") return plainReply(501)
  if (method === "TRACE") return new Reply(405, new HeaderList(["Allow", methods, "Content-Type", "text/plain; charset=utf-8"]), "405 Method Not Allowed\n")
  return target === "*" ? new Reply(204, new HeaderList(["Allow", methods])) : undefined
}

/** Lets go of a body that will not be sent. */
export function release(reply: Reply, error?: Error): void {
  const { body } = reply
  if (body === null || typeof body === "string" || body instanceof Uint8Array) return
  if (body instanceof ByteStream) body.cancel(error)
  else body.close()
}
