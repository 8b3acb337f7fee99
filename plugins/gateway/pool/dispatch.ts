import type { Exchange, Logger, Reply, SlotClaims } from "edge"
import { HttpError, stamp, wantsWebSocket } from "edge"
import { Prefetch, mayPrefetch } from "./prefetch.ts"
import type { WorkerConnection } from "./worker-connection.ts"
import type { PoolOptions } from "./options.ts"
import { Queue, Waiter } from "./queue.ts"
import { QueueFull } from "./queue-full-503.ts"
import { neverBegun, neverBegunPrefetched } from "./retry.ts"

/** How often the page is looked at while something waits, for a slot that another front freed: at first, and later. */
const pollMs = { first: 1, later: 2 } as const
/** Looks in vain until the later pace. */
const eagerPolls = 50
/**
 * A slot that this front frees goes to its own queue, unless another front's oldest request waits longer by this: then
 * it goes back to the page. Without the slack two busy fronts would pass every slot to and fro and lose a poll each time.
 */
const unfairMs = 20
/** All fronts have seen by then that a worker's connections are closed. */
const seenMs = 50
/** A request whose workers die before they begin it is tried so often in all. */
const mostTries = 3

export interface DispatcherOptions {
  readonly options: PoolOptions["queue"]
  readonly log: Logger
  /** Every answer goes through it. */
  answered(reply: Reply): Reply
}

/** Sends each request to a worker with a free slot; with none free it waits its turn. One per app and front. */
export class Dispatcher {
  readonly #claims: SlotClaims
  readonly #options: PoolOptions["queue"]
  readonly #bypass: ReadonlySet<string>
  /** By worker index. */
  readonly #connections: (WorkerConnection | undefined)[]
  readonly #waiting = new Queue()
  /** Health checks: before all others, without limits. */
  readonly #urgent = new Queue()
  readonly #prefetch: Prefetch
  readonly #queueFull: QueueFull
  readonly #answered: (reply: Reply) => Reply
  #polling = false
  #polls = 0

  constructor(claims: SlotClaims, { options, log, answered }: DispatcherOptions) {
    this.#claims = claims
    this.#options = options
    this.#bypass = new Set(options.bypass)
    this.#answered = answered
    this.#queueFull = new QueueFull({ waitMs: options.wait, claims, log })
    this.#connections = Array.from({ length: claims.workers })
    this.#prefetch = new Prefetch(claims, {
      over: (ticket, connection) => this.#over(ticket, connection),
      left: waiter => this.#uncount(waiter),
      back: waiter => this.#back(waiter),
      answered,
      failed: (error, { x }, prefetched) => this.#failed(error, { x, tries: 1, prefetched }),
    })
  }

  get connections(): readonly WorkerConnection[] {
    return this.#connections.filter(connection => connection !== undefined)
  }

  add(connection: WorkerConnection): void {
    this.#connections[connection.index] = connection
    this.#claims.connected(connection.index, connection.serial)
    this.#serve()
  }

  remove(connection: WorkerConnection): void {
    if (this.#connections[connection.index] !== connection) return
    this.#connections[connection.index] = undefined
    this.#claims.lost(connection.index)
  }

  readonly handle = (x: Exchange): Promise<Reply> => {
    const socket = wantsWebSocket(x)
    if (socket) {
      const connection = this.#least()
      if (connection?.sockets === "road") return this.#tunnel(x, { connection, tries: 1, release: nothing })
    }
    if (this.#waiting.size === 0 && this.#urgent.size === 0) {
      const ticket = this.#claims.claim()
      if (ticket >= 0) return socket ? this.#start(x, ticket, 1) : this.#send(x, ticket, 1)
    }
    return this.#bypass.has(x.path) ? this.#hurry(x) : this.#wait(x)
  }

  /** The end: every request that waits is answered 503. */
  stop(): void {
    for (const queue of [this.#urgent, this.#waiting])
      while (queue.head !== undefined) this.#take(queue.head).reject(this.#queueFull.next())
    this.#queueFull.stop()
  }

  #send(x: Exchange, ticket: number, tries: number): Promise<Reply> {
    const connection = this.#connections[this.#claims.workerOf(ticket)]!
    return connection
      .send(x, () => this.#over(ticket, connection))
      .then(this.#answered, (error: unknown) => this.#failed(error, { x, tries, prefetched: false }))
  }

  #least(): WorkerConnection | undefined {
    const index = this.#claims.least()
    return index < 0 ? undefined : this.#connections[index]
  }

  /** With a slot, after a wait or for the handshake of a WebSocket. An open WebSocket holds none. */
  #start(x: Exchange, ticket: number, tries: number): Promise<Reply> {
    const connection = this.#connections[this.#claims.workerOf(ticket)]!
    if (connection.sockets === "none" || !wantsWebSocket(x)) return this.#send(x, ticket, tries)
    return this.#tunnel(x, { connection, tries, release: () => this.#over(ticket, connection) })
  }

  async #tunnel(x: Exchange, by: { connection: WorkerConnection; tries: number; release(): void }): Promise<Reply> {
    const { connection, tries } = by
    let tunnel = false
    let over = false
    let reply: Reply
    try {
      reply = await connection.socket(x, () => {
        over = true
        if (tunnel) this.#claims.tunnel(connection, -1)
        else by.release()
      })
    } catch (error) {
      return this.#failed(error, { x, tries, prefetched: false })
    }
    if (reply.status === 101 && !over) {
      tunnel = true
      this.#claims.tunnel(connection, 1)
      by.release()
    }
    return reply
  }

  /** A slot is free again: the next that was prefetched has it, or the next in our queue, or the page. */
  #over(ticket: number, connection: WorkerConnection): void {
    if (connection.gone) return this.#overAtEnd(ticket, connection)
    if (this.#prefetch.promote(ticket, connection)) {
      this.#fill()
      return
    }
    const next = this.#urgent.head ?? this.#waiting.head
    if (next === undefined || connection.down || !this.#ours(next) || !this.#claims.reusable(ticket, connection.serial)) {
      this.#claims.free(ticket, connection.serial)
      return
    }
    this.#take(next).resolve(this.#start(next.x, ticket, next.tries))
    this.#fill()
  }

  /**
   * The worker is gone. Other fronts may not have seen that yet, and would send the next request after
   * it: its slots go back when they have.
   */
  #overAtEnd(ticket: number, connection: WorkerConnection): void {
    setTimeout(() => this.#claims.free(ticket, connection.serial), seenMs)
  }

  /** Sends the first of those that wait on to busy workers, while their order allows it. */
  #fill(): void {
    for (let next = this.#waiting.head; next !== undefined; next = this.#waiting.head) {
      if (this.#urgent.size > 0 || !mayPrefetch(next.x) || !this.#ours(next)) return
      const ticket = this.#prefetch.claim()
      if (ticket < 0) return
      this.#waiting.remove(next)
      this.#showOldest()
      this.#prefetch.send(next, { ticket, connection: this.#connections[this.#claims.workerOf(ticket)]! })
    }
  }

  #ours(next: Waiter): boolean {
    return next.queue === this.#urgent || !this.#claims.othersWaitLonger(next.when.since, unfairMs)
  }

  async #failed(error: unknown, sent: { x: Exchange; tries: number; prefetched: boolean }): Promise<Reply> {
    const again = sent.prefetched ? neverBegunPrefetched(error, this.#claims.capacity) : neverBegun(error)
    if (sent.tries >= mostTries || !again) throw error
    const ticket = this.#claims.claim()
    const tries = sent.tries + 1
    return ticket >= 0 ? this.#start(sent.x, ticket, tries) : this.#wait(sent.x, tries)
  }

  // With no slot free ------------------------------------------------------------------------------------------------

  #wait(x: Exchange, tries = 1): Promise<Reply> {
    if (!this.#claims.enqueue(this.#options.size)) {
      return Promise.reject(this.#queueFull.next())
    }
    return this.#queue(x, this.#waiting, tries)
  }

  /**
   * A path of `queue.bypass`. A concurrent worker takes one more than it has slots for; in one with threads it would
   * wait behind whatever that thread does, so it takes the first slot that any worker frees.
   */
  #hurry(x: Exchange): Promise<Reply> {
    const index = this.#claims.least()
    const connection = index < 0 ? undefined : this.#connections[index]
    if (connection === undefined || this.#claims.blocking(index)) return this.#queue(x, this.#urgent)
    return connection.send(x, nothing)
  }

  #queue(x: Exchange, queue: Queue, tries = 1): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const waitMs = queue === this.#urgent ? Math.max(this.#options.wait, 1000) : this.#options.wait
      const when = { since: stamp(), deadlineMs: performance.now() + waitMs }
      const waiter = new Waiter(x, when, resolve, reject)
      waiter.tries = tries
      waiter.counted = queue === this.#waiting
      queue.push(waiter)
      if (queue.head === waiter) this.#showOldest()
      x.carrier.onAbort(() => {
        if (waiter.queue !== undefined) this.#take(waiter).reject(new HttpError(499, "the client is gone"))
      })
      if (!this.#polling) this.#pollAfter(pollMs.first)
      this.#fill()
    })
  }

  /** Out of its queue. */
  #take(waiter: Waiter): Waiter {
    waiter.queue!.remove(waiter)
    this.#uncount(waiter)
    this.#showOldest()
    return waiter
  }

  #uncount(waiter: Waiter): void {
    if (waiter.counted) this.#claims.dequeue()
    waiter.counted = false
  }

  /** Was prefetched for nothing: its place is before all that came later. */
  #back(waiter: Waiter): void {
    if (!waiter.counted) this.#claims.enqueue(Infinity)
    waiter.counted = true
    this.#waiting.unshift(waiter)
    this.#showOldest()
  }

  #showOldest(): void {
    this.#claims.oldest = this.#waiting.head?.when.since ?? 0
  }

  #pollAfter(ms: number): void {
    this.#polling = true
    setTimeout(this.#look, ms)
  }

  get #pending(): number {
    return this.#waiting.size + this.#urgent.size + this.#prefetch.size
  }

  readonly #look = (): void => {
    this.#polling = false
    const before = this.#pending
    this.#prefetch.tick()
    this.#expire()
    this.#spread()
    this.#serve()
    this.#fill()
    const after = this.#pending
    if (after === 0) this.#polls = 0
    else {
      this.#polls = after < before || this.#prefetch.size > 0 ? 0 : this.#polls + 1
      this.#pollAfter(this.#polls > eagerPolls ? pollMs.later : pollMs.first)
    }
  }

  /** What was prefetched and still waits goes to workers that are idle now. */
  #spread(): void {
    while (this.#prefetch.ripe) {
      const ticket = this.#claims.claim()
      if (ticket < 0) return
      const waiter = this.#prefetch.steal()
      if (waiter === undefined) {
        this.#claims.release(ticket, this.#connections[this.#claims.workerOf(ticket)]!.serial)
        return
      }
      this.#uncount(waiter)
      waiter.resolve(this.#send(waiter.x, ticket, 1))
    }
  }

  #serve(): void {
    for (let next = this.#urgent.head ?? this.#waiting.head; next !== undefined; next = this.#urgent.head ?? this.#waiting.head) {
      const ticket = this.#claims.claim()
      if (ticket < 0) return
      this.#take(next).resolve(this.#start(next.x, ticket, next.tries))
    }
  }

  /** All wait equally long, so the first to expire is the head. */
  #expire(): void {
    const nowMs = performance.now()
    for (const queue of [this.#urgent, this.#waiting]) {
      while (queue.head !== undefined && queue.head.when.deadlineMs <= nowMs) {
        this.#take(queue.head).reject(this.#queueFull.next())
      }
    }
  }
}

function nothing(): void {}
