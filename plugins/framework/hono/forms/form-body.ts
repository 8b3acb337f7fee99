import { HTTPException } from "hono/http-exception"
import type { Upload } from "./upload.ts"

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
  /** Names of files that nobody asked for; they were not kept. */
  readonly passed = new Set<string>()
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

export function tooLarge(): HTTPException {
  return new HTTPException(413, { message: "the form is larger than this page takes" })
}
