/** Requests at a rate of their own, whether answers come or not: what wrk, which waits for answers, cannot show. */
import { clientCore } from "./processes.ts"

export interface Latencies {
  /** Milliseconds from the moment that the request was due, in order of size. */
  readonly sorted: readonly number[]
  readonly failed: number
}

/** The value that `share` (0.99) of them do not exceed. */
export function percentile({ sorted }: Latencies, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

/**
 * Random gaps of a mean of 1000/rate ms (Poisson), each request on a connection of its own from a pool that grows as
 * needed. `path(n)` is the target of the n-th; only those that `counts(n)` accepts are measured.
 */
export async function openLoop(o: {
  readonly port: number
  readonly rate: number
  readonly seconds: number
  path(n: number): string
  counts(n: number): boolean
}): Promise<Latencies> {
  Bun.spawnSync(["taskset", "-p", "-c", String(clientCore), String(process.pid)])
  const idle: Line[] = []
  const measured: number[] = []
  let failed = 0
  const pending: Promise<void>[] = []
  const start = performance.now()
  let due = 0
  for (let n = 0; due < o.seconds * 1000; n++) {
    due += (-Math.log(1 - Math.random()) * 1000) / o.rate
    const wait = start + due - performance.now()
    if (wait > 1) await Bun.sleep(wait)
    const at = start + due
    pending.push(
      (async () => {
        const line = idle.pop() ?? (await Line.open(o.port))
        const status = await line.ask(o.path(n))
        if (status !== 200) failed++
        else {
          if (o.counts(n)) measured.push(performance.now() - at)
          if (line.open) idle.push(line)
        }
      })().catch(() => void failed++),
    )
  }
  await Promise.all(pending)
  for (const line of idle) line.close()
  return { sorted: measured.toSorted((a, b) => a - b), failed }
}

/** One kept connection; answers have a Content-Length. */
class Line {
  open = true
  #text = ""
  #answer: { resolve(status: number): void; reject(error: Error): void } | undefined
  #socket: { write(text: string): number; end(): void } | undefined

  static async open(port: number): Promise<Line> {
    const line = new Line()
    line.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: { data: (_socket, chunk) => line.#data(chunk.toString("latin1")), close: () => line.#closed() },
    })
    return line
  }

  ask(path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject }
      this.#socket!.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`)
    })
  }

  close(): void {
    this.#socket!.end()
  }

  #data(text: string): void {
    this.#text += text
    const end = this.#text.indexOf("\r\n\r\n")
    if (end < 0) return
    const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1] ?? 0)
    if (this.#text.length < end + 4 + length) return
    const status = Number(this.#text.slice(9, 12))
    if (/connection: close/i.test(this.#text)) this.open = false
    this.#text = ""
    this.#answer?.resolve(status)
  }

  #closed(): void {
    this.open = false
    this.#answer?.reject(new Error("closed"))
  }
}
