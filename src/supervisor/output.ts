/** A worker's stdout and stderr, line by line: to the log, and the last of it kept for the error when it dies. */
const LINE_BYTES = 16_384
const KEPT_LINES = 30

export class Output {
  readonly #last: string[] = []
  readonly #onLine: (line: string) => void

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  /** What it wrote last, to explain its death. */
  get tail(): string {
    return this.#last.join("\n")
  }

  /** Resolves when the stream ends; it never rejects. */
  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let part = ""
    try {
      for await (const chunk of stream) {
        part += decoder.decode(chunk, { stream: true })
        const lines = part.split("\n")
        part = lines.pop()!
        for (const line of lines) this.#line(line)
        // A program that never ends its line must not fill our memory.
        while (part.length > LINE_BYTES) {
          this.#line(part.slice(0, LINE_BYTES))
          part = part.slice(LINE_BYTES)
        }
      }
    } catch {
      // The pipe broke: the process is gone, which is reported elsewhere.
    }
    if (part !== "") this.#line(part)
  }

  #line(line: string): void {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line
    this.#last.push(text)
    if (this.#last.length > KEPT_LINES) this.#last.shift()
    this.#onLine(text)
  }
}
