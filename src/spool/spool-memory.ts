/** Memory that bodies of this process may take while they wait, all together; past it they go to the disk at once. */
const mostBytes = 64 * 1024 * 1024

let taken = 0

/** One body's share of it. */
export class SpoolMemory {
  #bytes = 0
  readonly #most: number

  /** `most`: of this body alone. */
  constructor(most: number) {
    this.#most = most
  }

  /** False when there is no room for so many more. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#most || taken + bytes > mostBytes) return false
    this.#bytes += bytes
    taken += bytes
    return true
  }

  give(bytes: number): void {
    const some = Math.min(bytes, this.#bytes)
    this.#bytes -= some
    taken -= some
  }

  giveAll(): void {
    this.give(this.#bytes)
  }
}
