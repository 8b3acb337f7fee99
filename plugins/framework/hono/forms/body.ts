import { createWriteStream } from "node:fs"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { BusboyInstance } from "@fastify/busboy"
import type { Context } from "hono"
import { HTTPException } from "hono/http-exception"
import { filesIfAny } from "../files/storage.ts"
import { sniff, SNIFF_BYTES } from "../files/sniff.ts"
import { TempFiles, Upload } from "./upload.ts"

/** What a body may be at most; past it the answer is 413. Bytes, where it is not a count. */
export interface BodyLimits {
  /** Names and values other than files, together. */
  readonly textBytes: number
  readonly fields: number
  /** Files, of all fields together. */
  readonly files: number
  /** Everything that is kept on disk, together. */
  readonly fileBytes: number
}
export const BODY_LIMITS: BodyLimits = { textBytes: 2_000_000, fields: 2000, files: 50, fileBytes: 1_000_000_000 }

/** What one file field takes. */
export interface FileRule {
  /** Of each file. */
  readonly maxBytes: number
  readonly maxFiles: number
}
/** The rule for a field's name; undefined for a name that is no file field: such files are read past and never kept. */
export type FileRules = (name: string) => FileRule | undefined

export type FileFault = { readonly code: "fileTooLarge"; readonly limit: number } | { readonly code: "tooManyFiles"; readonly limit: number }

/** A form as it was sent, nothing decoded. Names are the client's: a Map, as `__proto__` is one. */
export class FormBody {
  readonly texts = new Map<string, string[]>()
  readonly uploads = new Map<string, Upload[]>()
  /** What was wrong with the files of a field. */
  readonly faults = new Map<string, FileFault>()

  static from(values: Iterable<readonly [string, string]>): FormBody {
    const body = new FormBody()
    for (const [name, value] of values) body.add(name, value)
    return body
  }

  add(name: string, value: string): void {
    const have = this.texts.get(name)
    if (have === undefined) this.texts.set(name, [value])
    else have.push(value)
  }
  all(name: string): readonly string[] {
    return this.texts.get(name) ?? []
  }
  /** The last of that name, as with a hidden field before a checkbox. */
  last(name: string): string | undefined {
    return this.texts.get(name)?.at(-1)
  }
}

interface Reading {
  readonly body: Promise<FormBody>
  readonly temp: () => TempFiles | undefined
}
const readings = new WeakMap<Context, Reading>()

/**
 * The form that a request brings; read once, however many forms of a page ask. Only the first caller's `rules` count:
 * a page with several forms that take files reads with all of their rules (`rulesOf`).
 */
export function readBody(c: Context<any>, rules: FileRules, limits: Partial<BodyLimits> = {}): Promise<FormBody> {
  const have = readings.get(c)
  if (have !== undefined) return have.body
  let temp: TempFiles | undefined
  const tempFiles = () => (temp ??= new TempFiles(filesIfAny()?.tempDir))
  const body = parse(c.req.raw, { rules, limits: { ...BODY_LIMITS, ...limits }, tempFiles })
  readings.set(c, { body, temp: () => temp })
  return body
}

/** Removes the temporary files of a request; the app does it when the request ends. */
export async function releaseBody(c: Context<any>): Promise<void> {
  const reading = readings.get(c)
  if (reading === undefined) return
  await reading.body.catch(() => {})
  await reading.temp()?.release()
}

interface Parsing {
  readonly rules: FileRules
  readonly limits: BodyLimits
  tempFiles(): TempFiles
}

function parse(request: Request, how: Parsing): Promise<FormBody> {
  const type = request.headers.get("content-type") ?? ""
  if (/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) return parseText(request, how.limits)
  if (/^multipart\/form-data\s*;/i.test(type)) return parseParts(request, type, how)
  if (type === "" && request.body === null) return Promise.resolve(new FormBody())
  throw new HTTPException(415, { message: "a form is sent as application/x-www-form-urlencoded or multipart/form-data" })
}

async function parseText(request: Request, limits: BodyLimits): Promise<FormBody> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > limits.textBytes) throw tooLarge()
    chunks.push(chunk)
  }
  const pairs = new URLSearchParams(Buffer.concat(chunks).toString())
  if (pairs.size > limits.fields) throw tooLarge()
  return FormBody.from(pairs)
}

async function parseParts(request: Request, type: string, how: Parsing): Promise<FormBody> {
  const { limits, rules } = how
  // Before anything comes: what is thrown within a listener below reaches nobody.
  const temp = how.tempFiles()
  const body = new FormBody()
  const kept: Promise<void>[] = []
  let textBytes = 0
  let fileBytes = 0
  let files = 0
  let disk: Error | undefined
  const stop = new AbortController()
  const parts = await makeBusboy(type, limits)
  const fail = (error: Error) => {
    stop.abort(error)
    parts.destroy(error)
  }
  // A part may come without a name, whatever the types say.
  parts.on("field", (name: string | undefined, value, nameCut, valueCut) => {
    if (name === undefined) return
    textBytes += name.length + value.length
    if (nameCut || valueCut || textBytes > limits.textBytes) fail(tooLarge())
    else body.add(name, value)
  })
  parts.on("file", (name: string | undefined, stream, filename) => {
    const rule = name === undefined ? undefined : rules(name)
    // A file field that was left empty comes as a file without name and bytes.
    if (name === undefined || rule === undefined || filename === undefined || filename === "") return void stream.resume()
    if (++files > limits.files) return fail(tooLarge())
    const have = body.uploads.get(name)?.length ?? 0
    if (have >= rule.maxFiles) {
      body.faults.set(name, { code: "tooManyFiles", limit: rule.maxFiles })
      return void stream.resume()
    }
    const slot = reserve(body, name)
    kept.push(
      keep(stream, { path: temp.next(), filename, rule, signal: stop.signal, count: bytes => (fileBytes += bytes) <= limits.fileBytes, tooMuch: () => fail(tooLarge()) }).then(
        upload => {
          if (upload === undefined) body.faults.set(name, { code: "fileTooLarge", limit: rule.maxBytes })
          else slot.fill(upload)
        },
        (error: NodeJS.ErrnoException) => {
          // The disk is full, or gone: nobody reads this part any more, and the rest would wait behind it for ever.
          if (error.syscall === "open" || error.syscall === "write") disk ??= error
          fail(error)
        },
      ),
    )
  })
  for (const event of ["partsLimit", "fieldsLimit", "filesLimit"] as const) parts.on(event, () => fail(tooLarge()))
  try {
    await pipeline(Readable.fromWeb(request.body as never), parts)
    await Promise.all(kept)
    // What failed after the last byte had come.
    stop.signal.throwIfAborted()
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(kept)
    if (disk !== undefined) throw disk
    if (error instanceof HTTPException) throw error
    if (stop.signal.reason instanceof HTTPException) throw stop.signal.reason
    throw new HTTPException(400, { message: "the form is broken off or malformed", cause: error })
  }
  for (const [name, uploads] of body.uploads) body.uploads.set(name, uploads.filter(upload => upload !== undefined))
  return body
}

/** Keeps the order of the files of a field, whichever is on disk first. */
function reserve(body: FormBody, name: string): { fill(upload: Upload): void } {
  const list = body.uploads.get(name) ?? []
  body.uploads.set(name, list)
  const at = list.length
  list.length = at + 1
  return { fill: upload => void (list[at] = upload) }
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

interface Keeping {
  readonly path: string
  readonly filename: string
  readonly rule: FileRule
  readonly signal: AbortSignal
  /** False when all files together are too much. */
  count(bytes: number): boolean
  tooMuch(): void
}

/** Writes a file to disk as it comes. Undefined when it is larger than its field takes; the rest is read past. */
async function keep(stream: Readable, how: Keeping): Promise<Upload | undefined> {
  let size = 0
  const head: Uint8Array[] = []
  let headBytes = 0
  async function* bounded(source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      size += chunk.byteLength
      if (size > how.rule.maxBytes) continue
      if (!how.count(chunk.byteLength)) how.tooMuch()
      if (headBytes < SNIFF_BYTES) {
        // A copy: the chunk is a view of a larger buffer.
        head.push(Buffer.from(chunk.subarray(0, SNIFF_BYTES - headBytes)))
        headBytes += chunk.byteLength
      }
      yield chunk
    }
  }
  await pipeline(stream, bounded, createWriteStream(how.path, { flags: "wx", mode: 0o600 }), { signal: how.signal })
  if (size > how.rule.maxBytes) return undefined
  const name = how.filename.replace(/^.*[/\\]/s, "").slice(-255)
  return new Upload({ path: how.path, size, name, type: sniff(Buffer.concat(head), name) })
}

function tooLarge(): HTTPException {
  return new HTTPException(413, { message: "the form is larger than this page takes" })
}
