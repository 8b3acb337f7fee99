import { existsSync } from "node:fs"
import { join } from "node:path"
import { tempFolder } from "../../../system/temp-folder.ts"

/** Answers the requests of one HTTP/2 connection. */
export type Fetch = (request: Request) => Response | Promise<Response>

/**
 * A Bun.serve for exactly one connection, on a unix socket that only we can reach: so every request on it is known to
 * come from that client. One costs 0.1 ms and 18 kB. Declined: to use one again for the next client; bytes of the last
 * one may still be on their way through it.
 */
export class OneConnectionServer {
  readonly path: string
  readonly #server: Bun.Server<undefined>

  constructor(fetch: Fetch) {
    // A cleaner of the folder for temporary files takes what looks old.
    if (folder === undefined || !existsSync(folder)) folder = tempFolder("h2")
    this.path = join(folder, String(++count))
    this.#server = Bun.serve({
      unix: this.path,
      http2: true,
      development: false,
      // Our own limits hold: on the body in the adapter, on silence in the connection.
      idleTimeout: 0,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch,
      error: () => new Response(null, { status: 500 }),
    } as never)
  }

  /** Tells the client to open no more streams, and ends when the open ones are done. */
  finish(): void {
    void this.#server.stop(false)
  }

  close(): void {
    void this.#server.stop(true)
  }
}

let count = 0
let folder: string | undefined
