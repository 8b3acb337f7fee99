/**
 * The page that the supervisor and all fronts share for one app: who holds which slot of which worker, and how many
 * requests wait. A file under Bun.mmap; every word is changed by Atomics only.
 *
 * A slot is one word with its owner in it, so that the one compare-and-swap that takes it also says whose it is: a front
 * killed between any two instructions leaves nothing to guess. (Counters per front beside a counter per worker were
 * declined: two words cannot change at once, and a kill -9 between them is off by one for ever.) The count of used slots
 * beside them is a hint that keeps a claim O(1); the truth is the slots.
 *
 * Words: head | 64 fronts | workers | slots, by worker | tunnels, by worker and front
 */
import { closeSync, openSync } from "node:fs"
import type { SharedPage } from "../contract/gateway.ts"
import { allocate } from "../system/allocate.ts"

export const maxFronts = 64
/** Requests that may be sent on to a busy worker before it is free (`ahead`), at most. */
export const maxPrefetch = 8

/** "edge", and the version of this layout. */
const magic = 0x65_64_67_01
/** Records are a cache line (64 bytes) each: two fronts never write to the same one. */
const record = 16
const head = { magic: 0, workers: 1, capacity: 2 } as const
/** Fields of a front's record. */
export const front = {
  /** 1 while the front serves. */
  alive: 0,
  /** Requests that wait in it. */
  queued: 1,
  /** When the oldest of them came, as `stamp()`; 0 when none waits. */
  oldest: 2,
  /** Requests it answered 503, in all. */
  refused: 3,
  /** Counts the processes that had this number, so that a dead one's slots are told from its successor's. */
  life: 4,
} as const
/** Fields of a worker's record. */
export const worker = {
  /** serial * 4 + phase. */
  state: 0,
  /** Slots taken, give or take a killed front's last act. */
  used: 1,
  /** Answers ended. */
  served: 2,
  /** Slots that may be taken, at most the page's capacity. */
  capacity: 3,
  /** Bit per front that is connected: two words. */
  connected: 4,
  /** 1: more requests than slots would only wait inside it (threads). */
  blocking: 6,
  /** How many requests may be prefetched. */
  prefetch: 7,
} as const
export const phase = { empty: 0, open: 1, closing: 2 } as const

/** The word of a taken slot: 18 bits of the worker's serial, 6 of the front's life, 7 of its number + 1. */
export function ownerWord(serial: number, holder: FrontLife): number {
  return ((serial & 0x3_ffff) << 13) | ((holder.life & 63) << 7) | (holder.front + 1)
}
/** Of an owner's word: whose it is, without the worker's serial. */
export const frontBits = 0x1fff

/** One process that is or was front number `front`. */
export interface FrontLife {
  readonly front: number
  readonly life: number
}

/** Milliseconds, cut to 32 bits and never 0: only differences below 24 days mean something. */
export function stamp(): number {
  return Date.now() | 0 || 1
}

export interface PageSize {
  /** Worker indexes: more than run at once, as a replacement starts before the old one ends. */
  readonly workers: number
  /** Most slots of one worker. */
  readonly capacity: number
}

function wordsOf(size: PageSize): number {
  return record * (1 + maxFronts + size.workers) + size.workers * (size.capacity + maxPrefetch + maxFronts)
}

/** Makes the file at `path` (mode 0600, emptied if there) and maps it. Throws when the disk is full. */
export function createPage(path: string, size: PageSize): SharedPage {
  const fd = openSync(path, "w", 0o600)
  try {
    allocate(fd, wordsOf(size) * 4)
  } catch (error) {
    throw new Error(`the page ${path} that fronts share cannot be made: ${(error as Error).message}`, { cause: error })
  } finally {
    closeSync(fd)
  }
  const page = map(path)
  page.words[head.workers] = size.workers
  page.words[head.capacity] = size.capacity
  Atomics.store(page.words, head.magic, magic)
  return page
}

/** Maps a page that `createPage` made; throws when the file is something else. */
export function openPage(path: string): SharedPage {
  const page = map(path)
  if (page.words[head.magic] !== magic) throw new Error(`${path} is not a page of this version of edge`)
  return page
}

function map(path: string): SharedPage {
  const bytes = Bun.mmap(path, { shared: true })
  return { words: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2) }
}

/** Where things are in a page; the base of the supervisor's view (SlotKeeper) and a front's (SlotClaims). */
export class Layout {
  readonly words: Int32Array
  readonly workers: number
  readonly capacity: number
  /** Slots of a worker: `capacity`, then those for requests prefetched. A ticket is worker * stride + slot. */
  readonly stride: number

  constructor(page: SharedPage) {
    this.words = page.words
    this.workers = page.words[head.workers]!
    this.capacity = page.words[head.capacity]!
    this.stride = this.capacity + maxPrefetch
  }

  protected frontAt(index: number): number {
    return record * (1 + index)
  }

  protected workerAt(index: number): number {
    return record * (1 + maxFronts + index)
  }

  /** First slot of a worker. */
  protected slotsAt(index: number): number {
    return record * (1 + maxFronts + this.workers) + index * this.stride
  }

  /** WebSockets of a worker through a front. They hold no slot, but a worker that leaves waits for them. */
  protected tunnelsAt(index: number, frontIndex: number): number {
    return record * (1 + maxFronts + this.workers) + this.workers * this.stride + index * maxFronts + frontIndex
  }

  /** Requests that wait, over all fronts. */
  queued(): number {
    let sum = 0
    for (let f = 0; f < maxFronts; f++) sum += Atomics.load(this.words, this.frontAt(f) + front.queued)
    return sum
  }

  /** Requests answered 503 so far, over all fronts. */
  refused(): number {
    let sum = 0
    for (let f = 0; f < maxFronts; f++) sum += Atomics.load(this.words, this.frontAt(f) + front.refused)
    return sum
  }
}
