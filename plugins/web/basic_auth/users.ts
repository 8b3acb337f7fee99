/** Who may sign in: the users of the config and those of an htpasswd file. */
import type { Context } from "edge"
import { readFileSync, statSync } from "node:fs"
import { faultOf } from "./schema.ts"

/** The file is looked at so often, by the requests themselves. */
const LOOK_MS = 1000

export class Users {
  readonly #inline: ReadonlyMap<string, string>
  readonly #file: string | undefined
  readonly #ctx: Context
  #hashes: ReadonlyMap<string, string>
  /** All hashes, for who is none of the users. */
  #all: readonly string[]
  #version = ""
  #epoch = 0
  #lookedAt = 0

  constructor(inline: Readonly<Record<string, string>>, { file, ctx }: { file: string | undefined; ctx: Context }) {
    this.#ctx = ctx
    this.#inline = new Map(Object.entries(inline))
    this.#file = file === undefined ? undefined : ctx.resolve(file)
    this.#hashes = this.#inline
    if (this.#file !== undefined) {
      try {
        this.#version = versionOf(this.#file)
        this.#hashes = this.#read(this.#file)
      } catch (error) {
        throw ctx.fail((error as Error).message, ["file"])
      }
    }
    this.#all = [...this.#hashes.values()]
  }

  /** Another number when somebody's hash may be another. */
  get epoch(): number {
    this.#look()
    return this.#epoch
  }

  /**
   * The hash to compare with. Who is no user is compared with some user's, always the same for the same name (`salt`: bytes
   * that depend on it), so that the time it takes does not tell who exists.
   */
  hashFor(name: string, salt: number): { readonly hash: string; readonly exists: boolean } | undefined {
    const hash = this.#hashes.get(name)
    if (hash !== undefined) return { hash, exists: true }
    const other = this.#all[salt % this.#all.length]
    return other === undefined ? undefined : { hash: other, exists: false }
  }

  #look(): void {
    const now = performance.now()
    if (this.#file === undefined || now - this.#lookedAt < LOOK_MS) return
    this.#lookedAt = now
    try {
      const version = versionOf(this.#file)
      if (version === this.#version) return
      this.#version = version
      this.#hashes = this.#read(this.#file)
      this.#all = [...this.#hashes.values()]
      this.#epoch++
      this.#ctx.log.info("the users' file was read again", { file: this.#file, users: this.#hashes.size })
    } catch (error) {
      if (this.#version === "") return
      // A file that is being replaced, or has a fault: those who could sign in still can.
      this.#version = ""
      this.#ctx.log.error("the users' file cannot be used; the users read before still sign in", { error: (error as Error).message })
    }
  }

  #read(file: string): ReadonlyMap<string, string> {
    const users = new Map(this.#inline)
    for (const [i, line] of readFileSync(file, "utf8").split(/\r?\n/).entries()) {
      if (line.trim() === "" || line.startsWith("#")) continue
      const at = line.indexOf(":")
      if (at < 1) throw new Error(`${file}:${i + 1}: expected NAME:HASH`)
      const [name, hash] = [line.slice(0, at), line.slice(at + 1).split(":")[0]!.trim()]
      const fault = faultOf(hash)
      if (fault !== undefined) throw new Error(`${file}:${i + 1}: the hash of "${name}" ${fault}`)
      users.set(name, hash)
    }
    return users
  }
}

function versionOf(file: string): string {
  const { ino, size, mtimeNs } = statSync(file, { bigint: true })
  return `${ino} ${size} ${mtimeNs}`
}
