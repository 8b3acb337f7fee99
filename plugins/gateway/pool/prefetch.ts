import type { Exchange, Reply, SlotClaims } from "edge"
import { wantsWebSocket } from "edge"
import type { WorkerConnection } from "./worker-connection.ts"
import type { Waiter } from "./queue.ts"

/**
 * Prefetch: requests sent on to a worker that is still busy with the one before, so that it need not wait for the next: a Python
 * worker with one thread answers more than twice as many when it reads and writes several at once.
 *
 * They are the ones that would wait anyway, and they are taken back as soon as waiting elsewhere is better: when another
 * worker is idle, and when theirs makes no progress. Taking back is a CANCEL for what has not begun; should it just have
 * begun, it runs twice, so only GET and HEAD without a body are prefetched.
 */
export interface PrefetchHost {
  /** A slot of the worker is free again, as after any other request. */
  over(ticket: number, connection: WorkerConnection): void
  /** Ends the counting of the waiter in the page. */
  left(waiter: Waiter): void
  /** Waits again, before all others. */
  back(waiter: Waiter): void
  /** As for any other answer. */
  answered(reply: Reply): Reply
  /** What became of it where that was not an answer: a retry, or the error. */
  failed(error: unknown, waiter: Waiter, prefetched: boolean): Promise<Reply>
}

/** In ticks of the poll, 1 to 2 ms each: only a worker that ends requests faster than this on average is sent any before it is free; */
const fastTicks = 2
/** an idle worker takes what has waited so long elsewhere; */
const stealTicks = 3
/**
 * and what a worker without progress was sent is taken back: soon when another one goes on, as that would take it. The one
 * that is next comes later: the request before it may just be ending, and the answer on its way.
 */
const slowTicks = { others: 5, next: 10, alone: 100 } as const
/** A slow request counts as so many ticks at most: half a dozen quick ones make it good. */
const mostTicks = 10

interface Sent {
  readonly waiter: Waiter
  readonly connection: WorkerConnection
  readonly sinceTick: number
  /** Of those for prefetched requests; after its turn came, a common one. */
  ticket: number
  state: "prefetched" | "running" | "answered" | "recalled"
}

export function mayPrefetch(x: Exchange): boolean {
  return x.body === null && (x.method === "GET" || x.method === "HEAD") && !wantsWebSocket(x)
}

export class Prefetch {
  readonly #claims: SlotClaims
  readonly #host: PrefetchHost
  /** By worker, oldest first: those whose turn has not come. */
  readonly #sent: Sent[][]
  /** By worker: when it last ended a request of ours, */
  readonly #progress: Int32Array
  /** how many ticks it takes for one, smoothed, */
  readonly #pace: Float64Array
  /** and 1 when that is too slow. */
  readonly #slow: Uint8Array
  #tick = 0
  size = 0

  constructor(claims: SlotClaims, host: PrefetchHost) {
    this.#claims = claims
    this.#host = host
    this.#sent = Array.from({ length: claims.workers }, () => [])
    this.#progress = new Int32Array(claims.workers)
    this.#pace = new Float64Array(claims.workers)
    this.#slow = new Uint8Array(claims.workers)
    for (let index = 0; index < claims.workers; index++) this.#setPace(index, fastTicks + 0.5)
  }

  /** A ticket to prefetch one, or -1. */
  claim(): number {
    return this.#claims.claimPrefetch(this.#slow)
  }

  send(waiter: Waiter, by: { ticket: number; connection: WorkerConnection }): void {
    const sent: Sent = { waiter, connection: by.connection, ticket: by.ticket, sinceTick: this.#tick, state: "prefetched" }
    this.#sent[by.connection.index]!.push(sent)
    this.size++
    by.connection.send(waiter.x, () => this.#over(sent)).then(
      reply => this.#answered(sent, reply),
      (error: unknown) => this.#failed(sent, error),
    )
  }

  /** The request before is over: the next one prefetched has its slot. False when there is none. */
  promote(ticket: number, connection: WorkerConnection): boolean {
    const { index, serial } = connection
    this.#measure(index)
    const next = this.#sent[index]![0]
    if (next === undefined || next.connection !== connection || !this.#claims.reusable(ticket, serial)) return false
    this.#forget(next)
    this.#claims.release(next.ticket, serial)
    next.ticket = ticket
    if (next.state === "prefetched") next.state = "running"
    this.#host.left(next.waiter)
    return true
  }

  #measure(index: number): void {
    const ticks = Math.min(mostTicks, this.#tick - this.#progress[index]!)
    this.#progress[index] = this.#tick
    this.#setPace(index, this.#pace[index]! + (ticks - this.#pace[index]!) / 4)
  }

  #setPace(index: number, pace: number): void {
    this.#pace[index] = pace
    this.#slow[index] = pace > fastTicks ? 1 : 0
  }

  /** One that had better go to a worker that is idle; it is taken back. Undefined when there is none. */
  steal(): Waiter | undefined {
    const sent = this.#ripe()
    if (sent === undefined) return undefined
    this.#recall(sent)
    return sent.waiter
  }

  get ripe(): boolean {
    return this.size > 0 && this.#ripe() !== undefined
  }

  /**
   * Behind a request that lasts the next one; where the worker goes on the last one, as the next may begin at any moment
   * and would run twice.
   */
  #ripe(): Sent | undefined {
    for (const [index, list] of this.#sent.entries()) {
      const first = list[0]
      if (first === undefined) continue
      const stands = this.#tick - Math.max(first.sinceTick, this.#progress[index]!) >= slowTicks.next
      const sent = stands ? list.find(s => s.state === "prefetched") : list.length > 1 ? list.at(-1)! : undefined
      if (sent !== undefined && sent.state === "prefetched" && this.#tick - sent.sinceTick >= stealTicks) return sent
    }
    return undefined
  }

  /** Takes back what was sent to workers that stand still. Called by the poll. */
  tick(): void {
    this.#tick = (this.#tick + 1) | 0
    if (this.size === 0) return
    for (const [index, list] of this.#sent.entries()) {
      const first = list[0]
      if (first === undefined) continue
      const stillSince = Math.max(first.sinceTick, this.#progress[index]!)
      const still = this.#tick - stillSince
      if (still < slowTicks.others || (still < slowTicks.alone && !this.#othersGoOn(index))) continue
      this.#setPace(index, mostTicks)
      const from = still < slowTicks.next ? 1 : 0
      for (const sent of list.slice(from).toReversed()) {
        if (sent.state !== "prefetched") continue
        this.#recall(sent)
        this.#host.back(sent.waiter)
      }
    }
  }

  #othersGoOn(index: number): boolean {
    return this.#progress.some((tick, other) => other !== index && tick > 0 && this.#tick - tick < slowTicks.others)
  }

  #recall(sent: Sent): void {
    sent.state = "recalled"
    this.#forget(sent)
    sent.connection.recall(sent.waiter.x)
  }

  #forget(sent: Sent): void {
    const list = this.#sent[sent.connection.index]!
    const at = list.indexOf(sent)
    if (at < 0) return
    list.splice(at, 1)
    this.size--
  }

  #over(sent: Sent): void {
    const { connection, ticket } = sent
    const waits = this.#sent[connection.index]!.includes(sent)
    this.#forget(sent)
    if (sent.state === "recalled") this.#claims.release(ticket, connection.serial)
    else if (waits) {
      // Ended before its turn came: in a worker with threads, or the worker is gone.
      this.#claims.free(ticket, connection.serial)
      this.#host.left(sent.waiter)
    } else this.#host.over(ticket, connection)
  }

  #answered(sent: Sent, reply: Reply): void {
    if (sent.state === "recalled") return
    sent.state = "answered"
    sent.waiter.resolve(this.#host.answered(reply))
  }

  #failed(sent: Sent, error: unknown): void {
    if (sent.state !== "recalled") this.#host.failed(error, sent.waiter, sent.state === "prefetched").then(sent.waiter.resolve, sent.waiter.reject)
  }
}
