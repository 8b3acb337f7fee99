/** A worker's stdout and stderr, line by line: to the log, and the last of it kept for the error when it dies. */
const LINE_BYTES = 16_384
const KEPT_LINES = 30

export class Output {
  readonly #last: string[] = []
  readonly #onLine: (line: string) => void
  readonly #cutter = new LineCutter(line => this.#line(line))

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
    const cutter = new LineCutter(line => this.#line(line))
    try {
      for await (const chunk of stream) cutter.push(decoder.decode(chunk, { stream: true }))
    } catch {
      // The pipe broke: the process is gone, which is reported elsewhere.
    }
    cutter.flush()
  }

  /** For one that comes by other ways than a stream. */
  push(text: string): void {
    this.#cutter.push(text)
  }

  flush(): void {
    this.#cutter.flush()
  }

  #line(line: string): void {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line
    this.#last.push(text)
    if (this.#last.length > KEPT_LINES) this.#last.shift()
    this.#onLine(text)
  }
}

class LineCutter {
  readonly #onLine: (line: string) => void
  #part = ""

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(text: string): void {
    const lines = (this.#part + text).split("\n")
    this.#part = lines.pop()!
    for (const line of lines) this.#onLine(line)
    // A program that never ends its line must not fill our memory.
    while (this.#part.length > LINE_BYTES) {
      this.#onLine(this.#part.slice(0, LINE_BYTES))
      this.#part = this.#part.slice(LINE_BYTES)
    }
  }

  flush(): void {
    if (this.#part !== "") this.#onLine(this.#part)
    this.#part = ""
  }
}
