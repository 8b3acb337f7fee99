import type { AppSpec, Exchange, Reply, WorkerInfo } from "edge"
import { FrameClient } from "edge"

/** A front's way to one worker. */
export interface Line {
  readonly index: number
  readonly serial: number
  /** Nothing can be sent any more. */
  readonly down: boolean
  /**
   * Resolves with the head of the answer. `over` is called once, when the worker is done with the exchange (later than
   * the answer when its body streams, or when it was cancelled) or is gone.
   */
  send(x: Exchange, over: () => void): Promise<Reply>
  /** Sends nothing new; closes when what is under way is over. */
  retire(): void
  /** Closes now. */
  close(): void
}

export interface LineOptions {
  readonly app: AppSpec
  readonly worker: WorkerInfo
  readonly front: number
  lost(line: Line, error: Error): void
  /** A request is past its deadline and was answered 504. */
  stuck(line: Line, x: Exchange): void
}

/** How long a worker that is said to answer may take to greet. */
const helloMs = 5000

export async function openLine(options: LineOptions): Promise<Line> {
  const { transport } = options.worker
  if (transport === "frames") return openFrames(options)
  throw new Error(`no way to speak ${transport}`)
}

async function openFrames(options: LineOptions): Promise<Line> {
  const { app, worker } = options
  let line: FrameLine | undefined
  const client = await FrameClient.connect({
    path: worker.address,
    name: `front ${options.front}`,
    role: "front",
    id: `${app.name}/${worker.index}`,
    timeoutMs: app.timeoutMs,
    helloMs,
    onLost: error => line !== undefined && options.lost(line, error),
    onTimeout: x => line !== undefined && options.stuck(line, x),
  })
  line = new FrameLine(client, worker)
  return line
}

class FrameLine implements Line {
  readonly #client: FrameClient
  readonly index: number
  readonly serial: number

  constructor(client: FrameClient, worker: WorkerInfo) {
    this.#client = client
    this.index = worker.index
    this.serial = worker.serial
  }

  get down(): boolean {
    return this.#client.down
  }

  send(x: Exchange, over: () => void): Promise<Reply> {
    return this.#client.send(x, over)
  }

  retire(): void {
    this.#client.retire()
  }

  close(): void {
    this.#client.close()
  }
}
