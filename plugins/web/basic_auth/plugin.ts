import { type Connection, definePlugin, type Exchange, type Handler, HeaderList, HttpError } from "edge"
import { basicAuthSchema, faultOf } from "./schema.ts"
import { Users } from "./users.ts"
import { Verifier } from "./verifier.ts"

/** Sign-in by name and password of HTTP itself (RFC 7617). Handlers and limits know the user as `x.vars.get("user")`. */
export default definePlugin({
  name: "basic_auth",
  kind: "middleware",
  role: "access",
  config: basicAuthSchema,
  setup: ({ users: inline, file, realm, header }, ctx) => {
    if (file === undefined && Object.keys(inline).length === 0) throw ctx.fail("nobody could sign in: give users, or a file")
    // Not by the schema: what it refuses is shown, and this may be a password.
    for (const [name, hash] of Object.entries(inline)) {
      const fault = faultOf(hash)
      if (fault !== undefined) throw ctx.fail(`the hash ${fault}`, ["users", name])
    }
    const users = new Users(inline, { file, ctx })
    const verifier = new Verifier()
    /** Who signed in last on a connection, and by which line: a client sends it with every request. */
    const recent = new WeakMap<Connection, Recent>()
    const secret = crypto.getRandomValues(new Uint8Array(32))
    const quoted = realm.replaceAll(/["\\]/g, "\\$&")
    const challenge = { headers: [["WWW-Authenticate", `Basic realm="${quoted}", charset="UTF-8"`]] as const, quiet: true }
    const denied = (why: string): HttpError => new HttpError(401, why, challenge)

    const admit = (x: Exchange, { name, next }: { name: string; next: Handler }): ReturnType<Handler> => {
      ;(x.vars ??= new Map()).set("user", name)
      if (header === undefined) return next(x)
      const headers = HeaderList.from(x.headers)
      headers.deleteAlike(header)
      headers.append(header, name)
      return next(x.with({ headers }))
    }

    return {
      part: next =>
        function basicAuth(x) {
          const line = x.headers.get("authorization")
          const { epoch } = users
          const last = recent.get(x.conn)
          if (last !== undefined && last.line === line && last.epoch === epoch) return admit(x, { name: last.name, next })
          const given = credentials(line)
          if (given === undefined) throw denied("no name and password")
          const { name, password } = given
          const admitNew = (): ReturnType<Handler> => {
            recent.set(x.conn, { line: line!, name, epoch })
            return admit(x, { name, next })
          }
          const found = users.hashFor(name, digestOf(secret, [name]).readUInt32LE())
          if (found === undefined) throw denied("there are no users")
          const { hash, exists } = found
          const digest = digestOf(secret, [name, password, hash]).toString("latin1")
          const known = verifier.known(digest)
          if (known === true && exists) return admitNew()
          if (known !== undefined) throw denied("wrong name or password")
          return verifier.ask({ digest, password, hash }).then(good => {
            if (good && exists) return admitNew()
            ctx.log.info("sign-in refused", { user: name, ip: x.ip, path: x.path })
            throw denied("wrong name or password")
          })
        },
    }
  },
})

interface Recent {
  readonly line: string
  readonly name: string
  /** Of the users, when it was checked. */
  readonly epoch: number
}

function digestOf(secret: Uint8Array, parts: readonly string[]): Buffer {
  const hasher = new Bun.CryptoHasher("sha256", secret)
  for (const part of parts) hasher.update(`${part.length}:${part}`)
  return hasher.digest()
}

/** RFC 7617, 2: base64 of NAME:PASSWORD. */
function credentials(header: string | null): { name: string; password: string } | undefined {
  const token = header === null ? undefined : /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1]
  if (token === undefined) return undefined
  const text = Buffer.from(token, "base64").toString("utf8")
  const at = text.indexOf(":")
  return at < 1 ? undefined : { name: text.slice(0, at), password: text.slice(at + 1) }
}
