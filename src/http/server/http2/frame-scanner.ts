import { Flag, type FrameHead, frameHead, readFrameHead } from "./frame.ts"

/** Offset of the flags in the head of a frame. */
const flagsAt = 4

/** Finds the frames in a stream of bytes that comes in pieces. */
export abstract class FrameScanner {
  #left = 0
  #head = new Uint8Array(frameHead)
  #have = 0
  #passes = true
  #out: Uint8Array[] = []
  #before: Uint8Array | undefined

  /** Nothing of a frame is under way: another may be put in here. */
  get between(): boolean {
    return this.#left === 0 && this.#have === 0
  }

  /** What goes on of these bytes; null when the connection is to be cut. */
  scan(bytes: Uint8Array): Uint8Array[] | null {
    const out: Uint8Array[] = (this.#out = [])
    let run = 0
    let i = 0
    for (;;) {
      if (this.#left > 0 || this.#have === frameHead) {
        const piece = Math.min(this.#left, bytes.length - i)
        this.#left -= piece
        const ended = this.#left === 0
        if (!this.#passes) {
          this.payload(bytes.subarray(i, i + piece), ended)
          run = i + piece
        } else if (piece > 0) this.passed(bytes, i, piece)
        i += piece
        if (!ended) break
        this.#have = 0
        continue
      }
      if (i >= bytes.length) break
      const whole = this.#have === 0 && bytes.length - i >= frameHead
      if (!whole) {
        if (this.#have === 0 && i > run) out.push(bytes.subarray(run, i))
        const piece = Math.min(frameHead - this.#have, bytes.length - i)
        this.#head.set(bytes.subarray(i, i + piece), this.#have)
        this.#have += piece
        i += piece
        run = i
        if (this.#have < frameHead) return out
      }
      const head = whole ? readFrameHead(bytes, i) : readFrameHead(this.#head, 0)
      const verdict = this.begin(head)
      if (verdict === "cut") return null
      if (this.#before !== undefined) {
        if (whole && i > run) out.push(bytes.subarray(run, i))
        if (whole) run = i
        out.push(this.#before)
        this.#before = undefined
      }
      this.#passes = verdict === "pass" || verdict === "pad"
      if (verdict === "pad") {
        if (whole) bytes[i + flagsAt]! |= Flag.Padded
        else this.#head[flagsAt]! |= Flag.Padded
      }
      this.#left = head.length
      this.#have = frameHead
      if (whole) {
        if (!this.#passes && i > run) out.push(bytes.subarray(run, i))
        i += frameHead
        if (!this.#passes) run = i
      } else if (this.#passes) out.push(this.#head.slice())
    }
    if (bytes.length > run) out.push(bytes.subarray(run))
    return out
  }

  /** From `begin`: a frame that goes on before the one that begins. */
  protected before(bytes: Uint8Array): void {
    this.#before = bytes
  }

  /** From `payload`: bytes that go on in the place of what was taken. */
  protected put(bytes: Uint8Array): void {
    this.#out.push(bytes)
  }

  /** "pad": it passes, and its first byte says that no padding follows its data. */
  protected abstract begin(head: FrameHead): "pass" | "take" | "cut" | "pad"
  /** Of a frame that was taken. */
  protected abstract payload(bytes: Uint8Array, ended: boolean): void
  /** Of a frame that passes: `size` bytes of `bytes` from `at`. */
  protected passed(_bytes: Uint8Array, _at: number, _size: number): void {}
}
