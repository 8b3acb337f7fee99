import type { Context } from "hono"
import { HTTPException } from "hono/http-exception"
import { filesIfAny } from "../files/storage.ts"
import { BODY_LIMITS, type BodyLimits, type FileRules, FormBody, tooLarge } from "./form-body.ts"
import { readMultipart, type Reading } from "./multipart.ts"
import { TempFiles } from "./upload.ts"

export type { FormBody } from "./form-body.ts"

interface Read {
  readonly body: Promise<FormBody>
  readonly temp: () => TempFiles | undefined
}
const reads = new WeakMap<Context, Read>()

/**
 * The form that a request brings; read once, however many forms of a page ask. The first caller's `rules` say which
 * files are kept: a page with several forms that take files reads with all of their rules first (`form.rules()`).
 */
export function readBody(c: Context<any>, rules: FileRules, limits: Partial<BodyLimits> = {}): Promise<FormBody> {
  const have = reads.get(c)
  if (have !== undefined) return have.body.then(body => without(body, rules))
  let temp: TempFiles | undefined
  const tempFiles = () => (temp ??= new TempFiles(filesIfAny()?.tempDir))
  const body = parse(c.req.raw, { rules, limits: { ...BODY_LIMITS, ...limits }, tempFiles })
  reads.set(c, { body, temp: () => temp })
  return body
}

/** A file that comes, is wanted by the second form, and was read past for the first, must not be lost in silence. */
function without(body: FormBody, rules: FileRules): FormBody {
  const lost = [...body.passed].find(name => rules(name) !== undefined)
  if (lost === undefined) return body
  throw new Error(`the files of "${lost}" were read past: read the body with the rules of every form of the page first, readBody(c, name => A.rules()(name) ?? B.rules(name))`)
}

/** Removes the temporary files of a request; the app does it when the request ends. */
export async function releaseBody(c: Context<any>): Promise<void> {
  const read = reads.get(c)
  if (read === undefined) return
  await read.body.catch(() => {})
  await read.temp()?.release()
}

function parse(request: Request, how: Reading): Promise<FormBody> {
  const type = request.headers.get("content-type") ?? ""
  if (/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) return parseText(request, how.limits)
  if (/^multipart\/form-data\s*;/i.test(type)) return readMultipart(request, type, how)
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
