/** A Redis server of the test's own, on a free port of 127.0.0.1, gone afterwards. Keeps nothing on disk. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { found } from "./needs.ts"
import { freePort } from "./postgres.ts"

export class Redis {
  readonly #dir: string
  #server: Bun.Subprocess

  private constructor(
    readonly port: number,
    dir: string,
  ) {
    this.#dir = dir
    this.#server = this.#spawn()
  }

  static async start(): Promise<Redis> {
    const redis = new Redis(await freePort(), mkdtempSync(join(tmpdir(), "edge-redis-")))
    await redis.#answers()
    return redis
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** As a power cut would: what it held is gone. */
  async kill(): Promise<void> {
    this.#server.kill("SIGKILL")
    await this.#server.exited
  }

  /** Again, on the same port. */
  async restart(): Promise<void> {
    this.#server = this.#spawn()
    await this.#answers()
  }

  /** It takes connections and answers nothing, until it is woken. */
  freeze(): void {
    this.#server.kill("SIGSTOP")
  }

  wake(): void {
    this.#server.kill("SIGCONT")
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.wake()
    await this.kill()
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #spawn(): Bun.Subprocess {
    const flags = { port: this.port, bind: "127.0.0.1", save: "", appendonly: "no", dir: this.#dir }
    const argv = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)])
    return Bun.spawn([found("redis")!, ...argv], { stdout: "ignore", stderr: "ignore" })
  }

  async #answers(): Promise<void> {
    for (let i = 0; ; i++) {
      const client = new Bun.RedisClient(this.url, { autoReconnect: false, enableOfflineQueue: false })
      try {
        await client.connect()
        return
      } catch (error) {
        if (i > 200) throw error
        await Bun.sleep(25)
      } finally {
        client.close()
      }
    }
  }
}
