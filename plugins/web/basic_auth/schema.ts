import { path } from "edge"
import * as v from "valibot"

const bcrypt = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/
const argon2 = /^\$argon2(?:id|i|d)\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{8,}\$[A-Za-z0-9+/]{16,}$/

/** What is wrong with a stored password; undefined when it can be used. Never says the value: it may be a password. */
export function faultOf(hash: string): string | undefined {
  if (bcrypt.test(hash) || argon2.test(hash)) return undefined
  if (hash.startsWith("$apr1$") || hash.startsWith("$1$") || hash.startsWith("{SHA}") || hash.startsWith("{SSHA}") || hash.startsWith("$5$") || hash.startsWith("$6$")) {
    return "is of a kind that can be guessed too fast; make it anew with `edge hash` or `htpasswd -B`"
  }
  return "must be a bcrypt or argon2 hash, as `edge hash` or `htpasswd -B` makes them; never a password"
}

const user = v.pipe(v.string(), v.regex(/^[^:\p{Cc}]+$/u, "must be a name without a colon"))
const headerName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]+$/, "must be a header name"))

export const basicAuthSchema = v.strictObject({
  users: v.pipe(v.optional(v.record(user, v.string()), {}), v.description("Name -> bcrypt or argon2 hash of the password (`edge hash`)")),
  file: v.pipe(v.optional(path()), v.description("htpasswd file with more users (htpasswd -B); read again when it changes")),
  realm: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^[\x20-\x7e]*$/, "must be plain ASCII")), "Restricted"),
    v.description("What the browser shows when it asks"),
  ),
  header: v.pipe(v.optional(headerName), v.description("The handler gets the user's name in it; what the client sent by that name is dropped")),
})
