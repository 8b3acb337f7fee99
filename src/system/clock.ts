/** What the clock wakes: it is looked at when `deadline` may have passed. */
export interface Timed {
  /** Monotonic milliseconds (performance.now); Infinity for none. Changing it is one field write. */
  deadline: number
  /** Kept by the clock: the tick at which this will be looked at; -1 when it is in no slot. */
  dueTick: number
  onDeadline(): void
}

const tickMs = 500
/** 128 s; later deadlines are looked at once on the way. */
const slotCount = 256

/**
 * One interval for all connections: a cached date and a lazy timer wheel. A request sets its deadline several times and
 * nearly never meets one, so setting must cost nothing: an entry stays in its slot and is moved on when the slot comes
 * round. Deadlines are met up to 500 ms late. Declined: a Bun timer per connection (1 us per change).
 */
export class Clock {
  #slots: Set<Timed>[] = Array.from({ length: slotCount }, () => new Set())
  #tick = 0
  #entries = 0
  #timer: ReturnType<typeof setInterval> | undefined
  #startMs = 0
  /** Unix second of `date`. */
  #sec = 0
  #date = ""

  /** Unix seconds, at most half a second old while connections are open. */
  get sec(): number {
    if (this.#timer === undefined) this.#readDate()
    return this.#sec
  }

  /** IMF-fixdate (RFC 9110, 5.6.7), 29 characters. */
  get date(): string {
    if (this.#timer === undefined) this.#readDate()
    return this.#date
  }

  /** Call after `deadline` was set to an earlier time than before, or on a first deadline. */
  watch(entry: Timed): void {
    if (entry.deadline === Infinity) return
    if (this.#timer === undefined) this.#start()
    const tick = Math.max(this.#tick + 1, Math.ceil((entry.deadline - this.#startMs) / tickMs))
    if (entry.dueTick >= 0 && entry.dueTick <= tick) return
    this.forget(entry)
    entry.dueTick = Math.min(tick, this.#tick + slotCount - 1)
    this.#slots[entry.dueTick % slotCount]!.add(entry)
    this.#entries++
  }

  /** The entry is over: closed connections must not stay in memory until their deadline. */
  forget(entry: Timed): void {
    if (entry.dueTick < 0) return
    this.#slots[entry.dueTick % slotCount]!.delete(entry)
    this.#entries--
    entry.dueTick = -1
  }

  #start(): void {
    this.#startMs = performance.now() - this.#tick * tickMs
    this.#readDate()
    this.#timer = setInterval(() => this.#run(), tickMs)
    this.#timer.unref()
  }

  #readDate(): void {
    const sec = Math.floor(Date.now() / 1000)
    if (sec === this.#sec) return
    this.#sec = sec
    this.#date = new Date(sec * 1000).toUTCString()
  }

  #run(): void {
    this.#readDate()
    const now = performance.now()
    const target = Math.floor((now - this.#startMs) / tickMs)
    while (this.#tick < target) {
      this.#tick++
      const slot = this.#slots[this.#tick % slotCount]!
      // A copy: what one entry does may end others.
      if (slot.size > 0) for (const entry of [...slot]) if (entry.dueTick === this.#tick) this.#look(entry, now)
    }
    if (this.#entries === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #look(entry: Timed, now: number): void {
    this.forget(entry)
    if (entry.deadline <= now) entry.onDeadline()
    if (entry.dueTick < 0 && entry.deadline !== Infinity) this.watch(entry)
  }
}

export const clock = new Clock()
