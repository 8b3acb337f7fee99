import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { BusboyInstance } from "@fastify/busboy"
import { HTTPException } from "hono/http-exception"
import { type BodyLimits, type FileRules, FormBody, tooLarge } from "./form-body.ts"
import { keep } from "./keep.ts"
import type { TempFiles, Upload } from "./upload.ts"

export interface Reading {
  readonly rules: FileRules
  readonly limits: BodyLimits
  tempFiles(): TempFiles
}

/** Reads multipart/form-data (RFC 7578); files go to the disk as they come. 400 when it is malformed or broken off, 413 when it is too much. */
export async function readMultipart(request: Request, type: string, how: Reading): Promise<FormBody> {
  // Before anything comes: what is thrown within a listener reaches nobody.
  const multipart = new Multipart(how, how.tempFiles())
  return multipart.read(request, await makeBusboy(type, how.limits))
}

class Multipart {
  readonly #body = new FormBody()
  readonly #kept: Promise<void>[] = []
  readonly #stop = new AbortController()
  readonly #rules: FileRules
  readonly #limits: BodyLimits
  readonly #temp: TempFiles
  #parts: BusboyInstance | undefined
  #textBytes = 0
  #fileBytes = 0
  #files = 0
  /** What the disk said. */
  #disk: Error | undefined

  constructor({ rules, limits }: Reading, temp: TempFiles) {
    this.#rules = rules
    this.#limits = limits
    this.#temp = temp
  }

  async read(request: Request, parts: BusboyInstance): Promise<FormBody> {
    this.#parts = parts
    // A part may come without a name, whatever the types say.
    parts.on("field", (name: string | undefined, value, nameCut, valueCut) => name !== undefined && this.#onField(name, { value, cut: nameCut || valueCut }))
    parts.on("file", (name: string | undefined, stream, filename) => this.#onFile(name ?? "", stream, filename))
    for (const event of ["partsLimit", "fieldsLimit", "filesLimit"] as const) parts.on(event, () => this.#fail(tooLarge()))
    try {
      await pipeline(Readable.fromWeb(request.body as never), parts)
      await Promise.all(this.#kept)
      // What failed after the last byte had come.
      this.#stop.signal.throwIfAborted()
    } catch (error) {
      this.#stop.abort(error)
      await Promise.allSettled(this.#kept)
      throw this.#reason(error)
    }
    const { uploads } = this.#body
    for (const [name, list] of uploads) uploads.set(name, list.filter(upload => upload !== undefined))
    return this.#body
  }

  #reason(error: unknown): unknown {
    if (this.#disk !== undefined) return this.#disk
    const why = this.#stop.signal.reason as unknown
    return why instanceof HTTPException ? why : new HTTPException(400, { message: "the form is broken off or malformed", cause: error })
  }

  #fail(error: Error): void {
    this.#stop.abort(error)
    this.#parts?.destroy(error)
  }

  #onField(name: string, { value, cut }: { value: string; cut: boolean }): void {
    this.#textBytes += name.length + value.length
    if (cut || this.#textBytes > this.#limits.textBytes) this.#fail(tooLarge())
    else this.#body.add(name, value)
  }

  #onFile(name: string, stream: Readable, filename: string | undefined): void {
    const rule = this.#rules(name)
    // A file field that was left empty comes as a file without name and bytes.
    const empty = filename === undefined || filename === ""
    if (rule === undefined && !empty && this.#body.passed.size < this.#limits.fields) this.#body.passed.add(name)
    if (rule === undefined || empty) return void stream.resume()
    if (++this.#files > this.#limits.files) return this.#fail(tooLarge())
    const list = this.#body.uploads.get(name) ?? []
    if (list.length >= rule.maxFiles) {
      this.#body.faults.set(name, { code: "tooManyFiles", limit: rule.maxFiles })
      return void stream.resume()
    }
    this.#body.uploads.set(name, list)
    // A place in the order in which they came, whichever is on disk first.
    const at = list.length++
    const take = (upload: Upload | undefined): void => {
      if (upload === undefined) this.#body.faults.set(name, { code: "fileTooLarge", limit: rule.maxBytes })
      else list[at] = upload
    }
    const lose = (error: NodeJS.ErrnoException): void => {
      // The disk is full, or gone: nobody reads this part any more, and the rest would wait behind it for ever.
      if (error.syscall === "open" || error.syscall === "write") this.#disk ??= error
      this.#fail(error)
    }
    const count = (bytes: number): void => {
      this.#fileBytes += bytes
      if (this.#fileBytes > this.#limits.fileBytes) this.#fail(tooLarge())
    }
    this.#kept.push(keep(stream, { path: this.#temp.next(), filename, rule, signal: this.#stop.signal, count }).then(take, lose))
  }
}

/** Loaded with the first upload: most apps and most requests have none. */
async function makeBusboy(type: string, limits: BodyLimits): Promise<BusboyInstance> {
  const { Busboy } = await import("@fastify/busboy")
  try {
    return new Busboy({
      headers: { "content-type": type },
      limits: { fieldNameSize: 200, fieldSize: limits.textBytes, fields: limits.fields, parts: limits.fields + limits.files, headerPairs: 20 },
    })
  } catch (error) {
    throw new HTTPException(400, { message: "the form has no boundary", cause: error })
  }
}
