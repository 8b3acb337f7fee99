import { type Context, definePlugin } from "edge"
import { readFileSync } from "node:fs"
import { algorithms } from "./algorithms.ts"
import { Guard } from "./guard.ts"
import { type Key, keysOfSet, pemKey, secretKey } from "./keys.ts"
import { type JwtOptions, jwtSchema } from "./schema.ts"

/** Sign-in by signed tokens (RFC 7519, RFC 8725). Handlers know `x.vars.get("user")` and `x.vars.get("jwt")`, the claims. */
export default definePlugin({
  name: "jwt",
  kind: "middleware",
  role: "access",
  config: jwtSchema,
  setup: (options, ctx) => {
    const url = options.jwks !== undefined && /^https?:\/\//i.test(options.jwks) ? options.jwks : undefined
    const guard = new Guard({ options, ctx, keys: readKeys(options, { ctx, url }), url })
    return {
      part: next => x => guard.handle(x, next),
      // Not waited for: a sign-in service that is down must not keep the site down.
      start: () => void guard.remote?.fetch(),
    }
  },
})

function readKeys(options: JwtOptions, { ctx, url }: { ctx: Context; url: string | undefined }): readonly Key[] {
  const { secret, key, jwks } = options
  const names = typeof options.algorithms === "string" ? [options.algorithms] : options.algorithms
  const symmetric = names.filter(name => name.startsWith("HS"))
  // With both, a public key could be given for a secret (RFC 8725, 3.1).
  if (symmetric.length > 0 && symmetric.length < names.length) throw ctx.fail("HS algorithms do not go with others: have one kind", ["algorithms"])
  if (symmetric.length > 0 && secret === undefined) throw ctx.fail(`${names[0]} needs a secret`)
  if (symmetric.length === 0 && secret !== undefined) throw ctx.fail(`${names[0]} takes a public key, not a secret`, ["secret"])
  if (symmetric.length > 0 && (key ?? jwks) !== undefined) throw ctx.fail(`${names[0]} takes a secret and nothing else`, [key === undefined ? "jwks" : "key"])
  if (symmetric.length === 0 && key === undefined && jwks === undefined) throw ctx.fail(`${names[0]} needs a key: give key, or jwks`)
  const keys: Key[] = []
  if (secret !== undefined) keys.push(secretKey(secret))
  const files = key === undefined ? [] : typeof key === "string" ? [key] : key
  for (const [i, file] of files.entries()) {
    const at = typeof key === "string" ? ["key"] : ["key", i]
    const read = guardFile(() => pemKey(ctx.resolve(file)), why => ctx.fail(why, at))
    if (!names.some(name => algorithms[name]!.fits(read.key))) throw ctx.fail(`the key is not one for ${names.join(", ")}`, at)
    keys.push(read)
  }
  if (jwks !== undefined && url === undefined) {
    const set = guardFile(() => keysOfSet(readFileSync(ctx.resolve(jwks), "utf8")), why => ctx.fail(why, ["jwks"]))
    if (!set.some(one => names.some(name => algorithms[name]!.fits(one.key)))) throw ctx.fail(`the set has no key for ${names.join(", ")}`, ["jwks"])
    keys.push(...set)
  }
  const short = secret === undefined ? undefined : names.find(name => !algorithms[name]!.fits(keys[0]!.key))
  if (short !== undefined) throw ctx.fail(`the secret is too short for ${short}: it needs ${Number(short.slice(2)) / 8} bytes`, ["secret"])
  return keys
}

function guardFile<T>(read: () => T, fail: (why: string) => Error): T {
  try {
    return read()
  } catch (error) {
    throw fail(`cannot be read: ${(error as Error).message}`)
  }
}
