import { lstatSync, renameSync } from "node:fs"
import { dirname } from "node:path"
import type { Command, ControlAnswer } from "../../control.ts"
import { findIdentity } from "../../system/identity.ts"
import { unlinkQuietly } from "../run-folder.ts"
import { removeStale } from "../sockets/listening-socket.ts"

type OnCommand = (command: Command, answer: (answer: ControlAnswer) => void) => void

/** Commands are small; whoever sends more is not `edge`. */
const MOST_BYTES = 64 * 1024

interface Open {
  readonly path: string
  readonly madeAt: string
  /** Its name still leads to it. */
  stands(): boolean
  close(): void
}

export interface PreparedControl {
  /** Commands can come from now on, there and where they came from before. Throws when the name cannot be had. */
  open(): void
  /** The one that was open goes. */
  commit(): void
  rollback(): void
}

/** Listens for commands. The mode of the socket is the whole of its access control: its owner, and root. */
export class ControlServer {
  readonly #onCommand: OnCommand
  readonly #takesOver: boolean
  #open: Open | undefined

  /** `takesOver`: the edge that answers on the socket is our predecessor and about to leave. */
  constructor(onCommand: OnCommand, { takesOver }: { takesOver: boolean }) {
    this.#onCommand = onCommand
    this.#takesOver = takesOver
  }

  /** Throws when another edge answers there. */
  async prepare(path: string): Promise<PreparedControl> {
    // A sweeper of old files may have taken the name: then it is made anew.
    if (this.#open?.path === path && this.#open.stands()) return { open() {}, commit() {}, rollback() {} }
    if (!this.#takesOver || this.#open !== undefined) await free(path)
    const fresh = this.#listen(path)
    return {
      open: () => renameSync(fresh.madeAt, path),
      commit: () => {
        this.#open?.close()
        this.#open = fresh
      },
      rollback: () => fresh.close(),
    }
  }

  close(): void {
    this.#open?.close()
    this.#open = undefined
  }

  /** Made under another name and moved: whoever has the path sees the old socket or the new one, never none. */
  #listen(path: string): Open {
    const madeAt = `${path}.${process.pid}`
    unlinkQuietly(madeAt)
    const umask = process.umask(0o177)
    try {
      const server = Bun.serve({
        unix: madeAt,
        idleTimeout: 0,
        maxRequestBodySize: MOST_BYTES,
        development: false,
        fetch: (request: Request) => this.#answer(request),
        error: () => Response.json({ ok: false, error: "internal error" }, { status: 500 }),
      } as never) as unknown as { stop(force: boolean): void }
      const { ino } = lstatSync(madeAt)
      const close = (): void => {
        // Answers on their way out are finished; nothing new comes in.
        server.stop(false)
        for (const name of [madeAt, path]) if (lstatSync(name, { throwIfNoEntry: false })?.ino === ino) unlinkQuietly(name)
      }
      return { path, madeAt, stands: () => lstatSync(path, { throwIfNoEntry: false })?.ino === ino, close }
    } catch (error) {
      throw new Error(`cannot open the control socket ${path}: ${whyNot(path, error)}`, { cause: error })
    } finally {
      process.umask(umask)
    }
  }

  async #answer(request: Request): Promise<Response> {
    const command = request.method === "POST" ? parseCommand(await request.text()) : undefined
    if (command === undefined) return Response.json({ ok: false, error: "not a command" }, { status: 400 })
    const answer = await new Promise<ControlAnswer>(resolve => this.#onCommand(command, resolve))
    return Response.json(answer, { status: answer.ok ? 200 : 409, headers: { connection: "close" } })
  }
}

/** A folder that is not ours to write in is common: the default is the config's own, which packages give to root. */
function whyNot(path: string, error: unknown): string {
  const { code, message } = error as { code?: string; message: string }
  const folder = dirname(path)
  const elsewhere = "name another place in [server] control, or with --control"
  if (code === "EACCES" || code === "EPERM") return `the user ${findIdentity(String(process.getuid?.() ?? "")).user} may not write in ${folder}; ${elsewhere}`
  if (code === "EROFS") return `${folder} is on a read-only file system; ${elsewhere}`
  if (code === "ENOENT") return `there is no folder ${folder}`
  return message
}

/** Throws when another edge answers there. */
async function free(path: string): Promise<void> {
  try {
    await removeStale(path)
  } catch (error) {
    const running = (error as { code?: string }).code === "EADDRINUSE"
    const why = running ? "another edge is running with it; stop that one, or name another in [server] control" : (error as Error).message
    throw new Error(`cannot open the control socket ${path}: ${why}`, { cause: error })
  }
}

function parseCommand(text: string): Command | undefined {
  let json: Record<string, unknown>
  try {
    json = JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
  switch (json?.["do"]) {
    case "reload":
      return { do: "reload", apps: json["apps"] === true }
    case "stop":
      return { do: "stop", now: json["now"] === true }
    case "status":
      return { do: "status" }
    case "workers":
      return { do: "workers", stack: json["stack"] === true }
    case "scale": {
      const { app, workers } = json
      if (typeof app !== "string" || !Number.isInteger(workers) || (workers as number) < 0) return undefined
      return { do: "scale", app, workers: workers as number }
    }
    case "tell": {
      const { name, args } = (json["command"] ?? {}) as { name?: unknown; args?: unknown }
      if (typeof name !== "string" || typeof args !== "object" || args === null) return undefined
      return { do: "tell", command: { name, args: args as Record<string, unknown> }, keep: json["keep"] === true }
    }
  }
  return undefined
}
