import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Handler, HttpError, Reply } from "edge"
import { constants, createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { exchange, seen } from "../../../test/kit/exchange.ts"
import { algorithms } from "./algorithms.ts"
import plugin from "./plugin.ts"

const secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
const pairs = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  p256: generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
  p384: generateKeyPairSync("ec", { namedCurve: "secp384r1" }),
  p521: generateKeyPairSync("ec", { namedCurve: "secp521r1" }),
  ed: generateKeyPairSync("ed25519"),
}
const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
const ieee = { dsaEncoding: "ieee-p1363" } as const
const signers: Record<string, (data: Buffer) => Buffer> = {
  HS256: data => createHmac("sha256", secret).update(data).digest(),
  HS384: data => createHmac("sha384", secret).update(data).digest(),
  HS512: data => createHmac("sha512", secret).update(data).digest(),
  RS256: data => sign("sha256", data, pairs.rsa.privateKey),
  RS384: data => sign("sha384", data, pairs.rsa.privateKey),
  RS512: data => sign("sha512", data, pairs.rsa.privateKey),
  PS256: data => sign("sha256", data, { key: pairs.rsa.privateKey, ...pss }),
  PS384: data => sign("sha384", data, { key: pairs.rsa.privateKey, ...pss }),
  PS512: data => sign("sha512", data, { key: pairs.rsa.privateKey, ...pss }),
  ES256: data => sign("sha256", data, { key: pairs.p256.privateKey, ...ieee }),
  ES384: data => sign("sha384", data, { key: pairs.p384.privateKey, ...ieee }),
  ES512: data => sign("sha512", data, { key: pairs.p521.privateKey, ...ieee }),
  EdDSA: data => sign(null, data, pairs.ed.privateKey),
}
const pairOf = (alg: string): keyof typeof pairs => (alg === "ES256" ? "p256" : alg === "ES384" ? "p384" : alg === "ES512" ? "p521" : alg === "EdDSA" ? "ed" : "rsa")

let dir = ""
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "edge-jwt-"))
  for (const [name, { publicKey }] of Object.entries(pairs)) writeFileSync(join(dir, `${name}.pem`), publicKey.export({ type: "spki", format: "pem" }))
})
afterAll(() => rmSync(dir, { recursive: true }))

const now = Math.floor(Date.now() / 1000)
const part = (value: unknown): string => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")

function token(claims: unknown, { alg = "HS256", head = {}, by }: { alg?: string; head?: Record<string, unknown>; by?: (data: Buffer) => Buffer } = {}): string {
  const signed = `${part({ alg, typ: "JWT", ...head })}.${part(claims)}`
  return `${signed}.${(by ?? signers[alg]!)(Buffer.from(signed)).toString("base64url")}`
}

const echo: Handler = x => Reply.text(200, JSON.stringify([x.vars?.get("user"), x.headers.getAll("x-user"), x.headers.getAll("x-roles")]))

async function around(options: Record<string, unknown>, ctx = new TestContext({ dir })): Promise<Handler> {
  const middleware = (await setUp(plugin, { algorithms: "HS256", ...(options["key"] === undefined && options["jwks"] === undefined && { secret }), ...options }, ctx)) as (next: Handler) => Handler
  await ctx.start()
  return middleware(echo)
}

/** Status, and what was said or why not. */
async function ask(handler: Handler, jwt: string | null, o: { target?: string; headers?: Record<string, string> } = {}): Promise<string> {
  try {
    const headers = { ...(jwt !== null && { Authorization: `Bearer ${jwt}` }), ...o.headers }
    const got = (await seen(handler, exchange(o.target ?? "/", { headers })))!
    return `${got.status} ${got.text}`
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    return `${error.status} ${error.options.headers?.[0]?.[1] ?? ""}`
  }
}

describe.each(Object.keys(signers))("%s", alg => {
  const given = (): Record<string, unknown> => (alg.startsWith("HS") ? { algorithms: alg } : { algorithms: [alg], key: `${pairOf(alg)}.pem` })
  test("good ones are let in, changed ones are not", async () => {
    const handler = await around(given())
    const good = token({ sub: "ann", exp: now + 60 }, { alg })
    expect(await ask(handler, good)).toStartWith('200 ["ann"')
    expect(await ask(handler, good)).toStartWith('200 ["ann"')
    const [head, body, signature] = good.split(".") as [string, string, string]
    const bytes = Buffer.from(signature, "base64url")
    bytes[3]! ^= 1
    for (const bad of [`${head}.${part({ sub: "root", exp: now + 60 })}.${signature}`, `${head}.${body}.${bytes.toString("base64url")}`, `${head}.${body}.${part("")}`, `${head}.${body}.${Buffer.alloc(bytes.length).toString("base64url")}`, `${head}.${body}.${signature}AAAA`]) {
      expect(await ask(handler, bad)).toStartWith("401")
    }
    for (const other of Object.keys(signers)) {
      if (other !== alg) expect(await ask(handler, token({ sub: "ann", exp: now + 60 }, { alg: other }))).toStartWith("401")
    }
  })
})

test("the examples of RFC 7515 and RFC 8037", () => {
  const check = (alg: string, jwk: object, text: string): boolean => {
    const at = text.lastIndexOf(".")
    const key = createPublicKey({ key: jwk as never, format: "jwk" })
    return algorithms[alg]!.fits(key) && algorithms[alg]!.verify(Buffer.from(text.slice(0, at)), Buffer.from(text.slice(at + 1), "base64url"), key)
  }
  const es = { kty: "EC", crv: "P-256", x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }
  const a3 = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
  expect(check("ES256", es, a3)).toBe(true)
  const ed = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }
  const a4 = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
  expect(check("EdDSA", ed, a4)).toBe(true)
})

test("a token does not choose its algorithm", async () => {
  const claims = { sub: "root", exp: now + 60 }
  const rsa = await around({ algorithms: "RS256", key: "rsa.pem" })
  const pem = pairs.rsa.publicKey.export({ type: "spki", format: "pem" })
  const none = `${part({ alg: "none" })}.${part(claims)}.`
  for (const alg of ["none", "None", "NONE", ""]) expect(await ask(rsa, token(claims, { alg, by: () => Buffer.alloc(0) }))).toStartWith("401")
  expect(await ask(rsa, none)).toStartWith("401")
  // The public key as an HMAC secret (CVE-2015-9235).
  expect(await ask(rsa, token(claims, { alg: "HS256", by: data => createHmac("sha256", pem).update(data).digest() }))).toStartWith("401")
  // A key that the token brings itself (CVE-2018-0114), and one that it points to.
  const jwk = pairs.rsa.publicKey.export({ format: "jwk" })
  expect(await ask(await around({ algorithms: "ES256", key: "p256.pem" }), token(claims, { alg: "RS256", head: { jwk, jku: "http://127.0.0.1:1/", x5u: "http://127.0.0.1:1/" } }))).toStartWith("401")
  expect(await ask(rsa, token(claims, { alg: "RS256", head: { crit: ["exp"] } }))).toStartWith("401")
})

test("times, issuer, audience", async () => {
  const handler = await around({ issuer: ["https://id.example"], audience: "api", leeway: "10s", max_age: "1h" })
  const good = { sub: "ann", iss: "https://id.example", aud: ["web", "api"], iat: now, nbf: now, exp: now + 60 }
  expect(await ask(handler, token(good))).toStartWith("200")
  expect(await ask(handler, token({ ...good, exp: now - 5, nbf: now + 5, aud: "api" }))).toStartWith("200")
  const bad = [
    { exp: now - 11 }, { exp: undefined }, { exp: String(now + 60) }, { exp: null }, { nbf: now + 60 }, { nbf: "x" },
    { iat: now - 4000 }, { iat: undefined }, { iat: now + 100 }, { iss: "https://id.example.evil" }, { iss: undefined }, { iss: ["https://id.example"] }, { aud: "web" }, { aud: undefined }, { aud: "api web" }, { aud: {} },
  ]
  for (const change of bad) expect([change, await ask(handler, token({ ...good, ...change }))]).toEqual([change, expect.stringMatching(/^401 Bearer realm="edge", error="invalid_token"/)])
  expect(await ask(await around({ without_exp: true }), token({ sub: "a" }))).toStartWith("200")
})

test("a token that was known ends when it ends", async () => {
  const handler = await around({ leeway: "0s" })
  const short = token({ sub: "a", exp: Date.now() / 1000 + 0.3 })
  expect(await ask(handler, short)).toStartWith("200")
  await Bun.sleep(350)
  expect(await ask(handler, short)).toStartWith("401")
})

test("claims that must be, else 403", async () => {
  const handler = await around({ claims: { scope: ["write", "admin"], team: "red" } })
  const of = (claims: object) => ask(handler, token({ sub: "a", exp: now + 60, ...claims }))
  expect(await of({ scope: "read write", team: ["blue", "red"] })).toStartWith("200")
  for (const claims of [{ scope: "read", team: "red" }, { scope: "rewrite", team: "red" }, { scope: "write" }, { scope: { write: true }, team: "red" }]) {
    expect(await of(claims)).toBe('403 Bearer realm="edge", error="insufficient_scope"')
  }
})

test("claims as headers: never the client's, never with anything that splits", async () => {
  const handler = await around({ headers: { "X-User": "sub", "X-Roles": "roles" }, optional: true })
  const forged = { headers: { "X-User": "root", "x-roles": "admin" } }
  const of = (claims: object) => ask(handler, token({ exp: now + 60, ...claims }), forged)
  expect(await of({ sub: "ann", roles: ["a", "b"] })).toBe('200 ["ann",["ann"],["a,b"]]')
  expect(await of({ sub: 7, roles: true })).toBe('200 ["7",["7"],["true"]]')
  expect(await of({ sub: "a\r\nX-Admin: 1", roles: ["a,admin"] })).toBe('200 ["a\\r\\nX-Admin: 1",[],[]]')
  expect(await of({ sub: "ü", roles: { a: 1 } })).toBe('200 ["ü",[],[]]')
  expect(await of({ roles: ["a", ["b\n"]] })).toBe("200 [null,[],[]]")
  expect(await ask(handler, null, forged)).toBe("200 [null,[],[]]")
  expect(await ask(handler, "x", forged)).toStartWith("401")
})

test("where the token may be", async () => {
  const jwt = token({ sub: "ann", exp: now + 60 })
  expect(await ask(await around({}), null)).toBe('401 Bearer realm="edge"')
  const handler = await around({ from: ["cookie:sid", "query:token", "header:X-Token", "bearer"] })
  expect(await ask(handler, null, { headers: { Cookie: `a=b; sid=${jwt}` } })).toStartWith("200")
  expect(await ask(handler, null, { target: `/?token=${jwt}` })).toStartWith("200")
  expect(await ask(handler, null, { headers: { "X-Token": jwt } })).toStartWith("200")
  expect(await ask(handler, null, { headers: { Authorization: `bearer  ${jwt}` } })).toStartWith("200")
  expect(await ask(handler, null, { headers: { Authorization: `Basic ${jwt}` } })).toStartWith("401")
})

test.each(["", "a", "a.b", "a.b.c", "a.b.c.d", "..", `${part("{")}.${part("{}")}.AA`, `${part([])}.${part({})}.AA`, `${part({ alg: "HS256" })}.${part("null")}.AA`, "x".repeat(20_000), `${part({ alg: ["HS256"] })}.${part({})}.AA`])(
  "garbage %# is refused",
  async text => {
    expect(await ask(await around({}), text)).toStartWith("401")
  },
)

test("what was checked is known, without a promise, and the table is bounded", async () => {
  const handler = await around({})
  for (let i = 0; i < 5000; i++) handler(exchange("/", { headers: { Authorization: `Bearer ${token({ sub: String(i), exp: now + 60 })}` } }))
  expect(handler(exchange("/", { headers: { Authorization: `Bearer ${token({ sub: "1", exp: now + 60 })}` } }))).toBeInstanceOf(Reply)
})

describe("a set of keys", () => {
  const jwk = (key: KeyObject, more: object) => ({ ...key.export({ format: "jwk" }), ...more })

  test("at a URL: fetched at the start, again for a key that is new, kept when the server is gone", async () => {
    let keys: unknown[] = [jwk(pairs.p256.publicKey, { kid: "1", use: "sig", alg: "ES256" }), { kty: "oct", k: "AAAA", kid: "2" }, { kty: "EC", crv: "none" }, null]
    let asked = 0
    const server = Bun.serve({ port: 0, fetch: () => (asked++, Response.json({ keys })) })
    const ctx = new TestContext({ dir })
    const handler = await around({ algorithms: ["ES256", "ES384"], jwks: `http://127.0.0.1:${server.port}/keys`, jwks_refresh: "1h" }, ctx)
    const of = (alg: string, kid?: string) => ask(handler, token({ sub: "a", exp: now + 60, n: Math.random() }, { alg, head: kid === undefined ? {} : { kid } }))
    expect(await of("ES256", "1")).toStartWith("200")
    expect(await of("ES256")).toStartWith("200")
    expect(await of("ES256", "2")).toStartWith("401")
    // Made up names do not make us ask each time.
    for (let i = 0; i < 20; i++) expect(await of("ES256", `x${i}`)).toStartWith("401")
    expect(asked).toBeLessThanOrEqual(2)
    keys = []
    await server.stop(true)
    expect(await of("ES256", "1")).toStartWith("200")
  })

  test("that cannot be had is 503, said once, and found when it is there", async () => {
    let up = false
    const key = jwk(pairs.ed.publicKey, { kid: "1" })
    using server = Bun.serve({ port: 0, fetch: () => (up ? Response.json({ keys: [key] }) : new Response("x".repeat(5_000_000))) })
    const ctx = new TestContext({ dir })
    const handler = await around({ algorithms: "EdDSA", jwks: `http://127.0.0.1:${server.port}/` }, ctx)
    const jwt = token({ sub: "a", exp: now + 60 }, { alg: "EdDSA", head: { kid: "1" } })
    expect(await ask(handler, jwt)).toStartWith("503")
    expect(await ask(handler, jwt)).toStartWith("503")
    up = true
    for (let got = ""; !got.startsWith("200"); got = await ask(handler, jwt)) await Bun.sleep(50)
    expect(ctx.lines.map(({ level }) => level)).toEqual(["error", "info"])
  })

  test("in a file", async () => {
    writeFileSync(join(dir, "keys.json"), JSON.stringify({ keys: [jwk(pairs.rsa.publicKey, { kid: "r", alg: "RS256" })] }))
    const handler = await around({ algorithms: ["RS256", "PS256"], jwks: "keys.json" })
    expect(await ask(handler, token({ exp: now + 60 }, { alg: "RS256" }))).toStartWith("200")
    expect(await ask(handler, token({ exp: now + 60 }, { alg: "PS256" }))).toStartWith("401")
  })
})

test.each([
  [{ secret: "short" }, "too short"],
  [{ algorithms: ["HS256", "RS256"] }, "do not go with others"],
  [{ algorithms: "RS256", key: "none.pem" }, "cannot be read"],
  [{ algorithms: "RS256", key: "p256.pem" }, "not one for RS256"],
  [{ algorithms: "HS256", key: "rsa.pem" }, "needs a secret"],
  [{ algorithms: "none" }, "must be one of"],
  [{ algorithms: "ES256", secret }, "not a secret"],
  [{ from: "body" }, "bearer"],
])("%p is refused", async (options, why) => {
  const error = await around(options).catch((e: unknown) => e as Error)
  expect((error as Error).message).toContain(why)
})
