/** Where the words of a page of counts are, and what is in one. */
export const ways = 8
/** Words of a bucket: fingerprints, then records. */
export const bucketWords = 64
/** Words of a record; windows with an even number have the first of a pair, odd ones the second. */
export const recordWords = 7
/** Fields of a record, each a pair. */
export const field = {
  /** Requests counted here, and those of other machines as far as they are known. */
  used: 0,
  /** Of `used`: what the store was told, and what it told us. */
  known: 2,
  /** Counted here and not yet confirmed by the store. */
  open: 4,
} as const
export const headWords = 16
export const head = { seed: 0, displaced: 2 } as const

export const countBits = 20
export const mostCount = (1 << countBits) - 1
export const tagMask = 0xfff
export const mostLimit = 1_000_000

export function wordsFor(keys: number): number {
  return headWords + bucketsFor(keys) * bucketWords
}

export function bucketsFor(keys: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, keys / ways)))
}

export function pack(window: number, count: number): number {
  return ((window & tagMask) << countBits) | Math.min(count, mostCount)
}

export function countOf(word: number, window: number): number {
  return word >>> countBits === (window & tagMask) ? word & mostCount : 0
}
