/** Passwords by argon2id (Bun.password). */

/** OWASP's first choice (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane; about 20 ms of one core. */
export interface HashingCost {
  /** KiB. */
  readonly memoryCost: number
  readonly timeCost: number
}
export const RECOMMENDED: HashingCost = { memoryCost: 19_456, timeCost: 2 }

/** Each hash in work holds its memory: without a bound, a flood of logins would take gigabytes. */
const AT_ONCE = 4
const WAITING = 200

/** Longer ones are refused before hashing: work for a stranger's megabytes is the attack. In UTF-16 units. */
export const LONGEST_PASSWORD = 1024

/** Too many logins at this moment. */
export class Busy extends Error {
  override readonly name = "Busy"
}

export class Hashing {
  /** Hashes computed so far, of either kind. Tests count them: an absent user costs as many as a present one. */
  computed = 0
  #running = 0
  readonly #waiting: (() => void)[] = []
  #decoy: Promise<string> | undefined

  constructor(readonly cost: HashingCost = RECOMMENDED) {}

  hash(password: string): Promise<string> {
    return this.#run(() => Bun.password.hash(plain(password), { algorithm: "argon2id", ...this.cost }))
  }

  /** Without a hash (no such user, or none that may log in) the same work is done, and the answer is no. */
  async verify(password: string, hash: string | undefined): Promise<boolean> {
    const against = hash ?? (await (this.#decoy ??= this.#makeDecoy()))
    if (password.length > LONGEST_PASSWORD) return false
    const right = await this.#run(() => Bun.password.verify(plain(password), against).catch(() => false))
    return right && hash !== undefined
  }

  /** Made before it is first needed: else the first absent user would cost two hashes. */
  async warm(): Promise<void> {
    await (this.#decoy ??= this.#makeDecoy())
  }

  /** True when the hash was made with other parameters than ours: then a login makes it anew. */
  isOld(hash: string): boolean {
    return !hash.startsWith(`$argon2id$v=19$m=${this.cost.memoryCost},t=${this.cost.timeCost},p=1$`)
  }

  #makeDecoy(): Promise<string> {
    return Bun.password.hash(crypto.randomUUID(), { algorithm: "argon2id", ...this.cost })
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= AT_ONCE) {
      if (this.#waiting.length >= WAITING) throw new Busy("too many logins at once")
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    } else {
      this.#running++
    }
    try {
      this.computed++
      return await work()
    } finally {
      const next = this.#waiting.shift()
      // The place goes to the next in line, so `running` stays.
      if (next === undefined) this.#running--
      else next()
    }
  }
}

/** One spelling of what looks the same on every keyboard (NIST SP 800-63B, 3.1.1.2). */
function plain(password: string): string {
  return password.normalize("NFKC")
}
