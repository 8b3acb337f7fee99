/** Many requests, each on a connection of its own, and what became of them. */

export interface StormResult {
  readonly answered: number
  /** Words of what went wrong, with how often. */
  readonly failures: Readonly<Record<string, number>>
}

export interface StormOptions {
  readonly port: number
  /** Infinity: until `signal`. */
  readonly requests: number
  /** No new request begins once it is aborted. */
  readonly signal?: AbortSignal
  /** At once. */
  readonly concurrency: number
  /** Every answer's body must match. */
  readonly body: RegExp
  /** While it is set no new request begins, so that something can be done "between requests". */
  readonly pause?: { promise: Promise<void> | undefined; active: number }
  onAnswer?(): void
}

const REQUEST = Buffer.from("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
/** A request that has no answer by then is lost, not late. */
const LOST_MS = 10_000

export async function storm(options: StormOptions): Promise<StormResult> {
  const failures: Record<string, number> = {}
  let begun = 0
  let answered = 0
  const one = async (): Promise<void> => {
    while (begun < options.requests && options.signal?.aborted !== true) {
      while (options.pause?.promise !== undefined) await options.pause.promise
      begun++
      if (options.pause !== undefined) options.pause.active++
      const problem = await request(options.port, options.body)
      if (options.pause !== undefined) options.pause.active--
      options.onAnswer?.()
      if (problem === undefined) answered++
      else failures[problem] = (failures[problem] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, one))
  return { answered, failures }
}

/** One connection, one request; undefined when it was answered as it should. */
function request(port: number, body: RegExp): Promise<string | undefined> {
  return new Promise(resolve => {
    let text = ""
    const timer = setTimeout(() => resolve("no answer"), LOST_MS)
    const done = (problem: string | undefined): void => {
      clearTimeout(timer)
      resolve(problem)
    }
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: socket => void socket.write(REQUEST),
        data: (socket, chunk) => {
          text += chunk.toString("latin1")
          const [head = "", start] = text.split("\r\n\r\n")
          const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1])
          if (start === undefined || start.length < length) return
          done(text.startsWith("HTTP/1.1 200 ") && body.test(start) ? undefined : `wrong answer: ${text.slice(0, 40)}`)
          socket.end()
        },
        close: () => done(text === "" ? "closed without an answer" : "closed within an answer"),
        error: (_, error) => done(`error: ${error.message}`),
        connectError: (_, error) => done(`cannot connect: ${error.message}`),
      },
    }).catch((error: Error) => done(`cannot connect: ${error.message}`))
  })
}

/** Stops new requests, waits for those under way, does it, and lets them go on. */
export async function between(pause: NonNullable<StormOptions["pause"]>, act: () => Promise<void> | void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  pause.promise = promise
  while (pause.active > 0) await Bun.sleep(1)
  await act()
  pause.promise = undefined
  resolve()
}

/** Requests on new connections from now until `stop`, which resolves with what became of them. */
export function flow(port: number, body = /^pong$/): { stop(): Promise<StormResult> } {
  const ended = new AbortController()
  const result = storm({ port, requests: Infinity, concurrency: 4, body, signal: ended.signal })
  return {
    stop: () => {
      ended.abort()
      return result
    },
  }
}
