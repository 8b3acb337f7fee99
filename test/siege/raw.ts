/** One connection of an attacker: bytes out, and all that comes back until its end. */
import { connect } from "node:net"

export interface Outcome {
  readonly text: string
  /** closed: the server ended it; lost: it did not within the time that a client waits. */
  readonly end: "closed" | "lost"
}

export interface Sending {
  readonly port: number
  /** Written one after the other, each in a packet of its own. */
  readonly pieces: readonly (string | Uint8Array)[]
  /** Between two pieces. */
  readonly pauseMs?: number
  /** Closes this side once an answer comes, or after a while: a client that closes before that has left. */
  readonly fin?: boolean
  /** The server must have ended it by then. */
  readonly withinMs?: number
  /** Where the client comes from: any address of 127/8. */
  readonly from?: string
}

export function send({ port, pieces, pauseMs = 0, fin = true, withinMs = 15_000, from = "127.0.0.1" }: Sending): Promise<Outcome> {
  return new Promise(resolve => {
    let text = ""
    let over = false
    const socket = connect({ port, host: "127.0.0.1", localAddress: from, allowHalfOpen: true })
    const done = (end: Outcome["end"]): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      socket.destroy()
      resolve({ text, end })
    }
    const timer = setTimeout(() => done("lost"), withinMs)
    socket.setNoDelay(true)
    socket.on("data", (chunk: Buffer) => {
      if (fin && text === "") socket.end()
      text += chunk.toString("latin1")
    })
    socket.on("end", () => done("closed"))
    socket.on("close", () => done("closed"))
    socket.on("error", () => done("closed"))
    socket.on("connect", async () => {
      for (const [i, piece] of pieces.entries()) {
        if (i > 0) await Bun.sleep(pauseMs)
        if (over) return
        socket.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece)
      }
      if (fin) setTimeout(() => socket.end(), NO_ANSWER_MS)
    })
  })
}

/** A server that has not answered by then waits for the rest of what it takes for a request. */
const NO_ANSWER_MS = 1000

/** Statuses of the final answers in what came, in order; 1xx are none. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/^HTTP\/1\.[01] (\d{3}) /gm)].map(match => Number(match[1])).filter(status => status >= 200)
}

/** Runs a job for each item, so many at once. */
export async function each<T>(items: readonly T[], atOnce: number, job: (item: T, i: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const i = next++
      await job(items[i]!, i)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
