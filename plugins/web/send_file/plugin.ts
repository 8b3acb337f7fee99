import { sep } from "node:path"
import type { Context, Exchange, Handler, Reply } from "edge"
import { after, asReply, ByteStream, definePlugin, headerText, HttpError, PASS, pathOfText, resolveDots } from "edge"
import * as v from "valibot"

/**
 * Lets an app say which file to send, after it has checked who asks: `X-Accel-Redirect: /protected/a.pdf` (nginx) or
 * `X-Sendfile: /srv/files/a.pdf` (Apache, uWSGI). Ranges, conditions and large files are then as with `static`.
 */
export default definePlugin({
  name: "send_file",
  kind: "middleware",
  config: v.strictObject({
    roots: v.pipe(
      v.record(v.pipe(v.string(), v.regex(/^\/(?:[^?#*]*\/)?$/, 'must begin and end with "/", as "/protected/"')), v.string()),
      v.description('Folders that an app may send from, by the prefix that it names them by: { "/protected/" = "private" }.'),
    ),
  }),
  setup: async ({ roots }, ctx) => {
    const made: SendRoot[] = []
    for (const [prefix, folder] of Object.entries(roots)) {
      const options = { root: folder, fallthrough: false, hidden: true }
      const send = await ctx.make("handler", { static: options }, ["roots", prefix])
      made.push({ prefix, folder: ctx.resolve(folder), send })
    }
    made.sort((a, b) => b.prefix.length - a.prefix.length)
    return { part: next => x => after(() => next(x), { change: reply => sendInstead(x, reply, { roots: made, ctx }) }) }
  },
})

interface SendRoot {
  readonly prefix: string
  readonly folder: string
  readonly send: Handler
}

function sendInstead(x: Exchange, reply: Reply, { roots, ctx }: { roots: readonly SendRoot[]; ctx: Context }): Reply | Promise<Reply> {
  const redirect = reply.headers.get("x-accel-redirect")
  const file = redirect ?? reply.headers.get("x-sendfile")
  if (file === null) return reply
  discard(reply)
  const found = redirect === null ? byFolder(file, roots) : byPrefix(file, roots)
  if (found.length === 0) {
    ctx.log.warn("an app asked to send a file that is in no root of send_file", { file, target: x.target })
    throw new HttpError(502, "the file is in no root of send_file")
  }
  return sendFirst(x, reply, found)
}

interface FoundFile {
  readonly root: SendRoot
  /** Below the root, in normal form. */
  readonly path: string
}

/** A URL path, percent-encoded as URLs are or not, as nginx takes it; "%2F" is a slash. */
function byPrefix(target: string, roots: readonly SendRoot[]): FoundFile[] {
  const path = toPath(unquote(target.split("?")[0]!))
  const root = path === null ? undefined : roots.find(({ prefix }) => path.startsWith(prefix))
  return root === undefined ? [] : [{ root, path: path!.slice(root.prefix.length - 1) }]
}

/**
 * An absolute file name: as it is (uWSGI, lighttpd), or percent-encoded where there is no such file (Apache's
 * XSendFileUnescape). `static` then refuses what leads out of its root by a link.
 */
function byFolder(file: string, roots: readonly SendRoot[]): FoundFile[] {
  return [...new Set([file, unquote(file)])].flatMap(name => {
    const path = toPath(name)
    const root = path === null ? undefined : roots.find(({ folder }) => path.startsWith(pathOfText(folder) + sep))
    return root === undefined ? [] : [{ root, path: path!.slice(pathOfText(root.folder).length) }]
  })
}

/** Bytes of a header line, one character each. */
function unquote(bytes: string): string {
  return bytes.replace(/%[0-9a-f]{2}/gi, escape => String.fromCharCode(Number.parseInt(escape.slice(1), 16)))
}

/** The normal form of a path that is not encoded; null where it is none or leads above the root. */
function toPath(bytes: string): string | null {
  return bytes.startsWith("/") && !bytes.includes("\0") ? resolveDots(pathOfText(headerText(bytes))) : null
}

async function sendFirst(x: Exchange, reply: Reply, found: readonly FoundFile[]): Promise<Reply> {
  for (const [i, file] of found.entries()) {
    try {
      return await send(x, reply, file)
    } catch (error) {
      if (i === found.length - 1 || !(error instanceof HttpError && error.status === 404)) throw error
    }
  }
  throw new HttpError(404, "no such file")
}

/** The app's lines stay, other than those about its own body; the file's say what the app's do not. */
async function send(x: Exchange, reply: Reply, { root, path }: FoundFile): Promise<Reply> {
  const inner = x.with({ path, method: x.method === "HEAD" ? "HEAD" : "GET", body: null })
  const answer = await root.send(inner)
  if (answer === PASS) throw new HttpError(404, "no such file")
  const sent = await asReply(answer)
  for (const [name, value] of reply.headers) {
    const lower = name.toLowerCase()
    if (ofBody.has(lower)) continue
    if (lower === "set-cookie" || lower === "vary") sent.headers.append(name, value)
    else sent.headers.set(name, value)
  }
  return sent
}

const ofBody = new Set([
  "x-accel-redirect",
  "x-sendfile",
  "content-length",
  "content-encoding",
  "content-range",
  "content-digest",
  "content-md5",
  "repr-digest",
  "digest",
  "signature",
  "signature-input",
  "transfer-encoding",
  "accept-ranges",
  "etag",
  "last-modified",
  "date",
  "trailer",
])

function discard({ body }: Reply): void {
  if (body instanceof ByteStream) body.cancel()
  else if (body !== null && typeof body === "object" && "fd" in body) body.close()
}
