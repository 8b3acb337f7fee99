/** What limits cost a request that they let in: ns around a handler that answers from memory. `bun bench/limits.ts` */
import { type Handler, Prepared } from "edge"
import basicAuth from "../plugins/web/basic_auth/plugin.ts"
import cors from "../plugins/web/cors/plugin.ts"
import csrf from "../plugins/web/csrf/plugin.ts"
import ip from "../plugins/web/ip/plugin.ts"
import jwt from "../plugins/web/jwt/plugin.ts"
import limitConn from "../plugins/web/limit_conn/plugin.ts"
import rateLimit from "../plugins/web/rate_limit/plugin.ts"
import securityHeaders from "../plugins/web/security_headers/plugin.ts"
import { setUp, TestContext } from "../test/kit/context.ts"
import { exchange, type TestExchange } from "../test/kit/exchange.ts"
import { createHmac } from "node:crypto"

const ROUNDS = 300_000
const secret = "0123456789abcdef0123456789abcdef"
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")
const signed = `${part({ alg: "HS256" })}.${part({ sub: "ann", exp: 9_999_999_999 })}`
const token = `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`
const hash = await Bun.password.hash("secret", { algorithm: "bcrypt", cost: 4 })

const prepared = new Prepared(200, ["Content-Type", "text/plain"], "body")
const bare: Handler = () => prepared.reply()
/** 1000 clients, as they come: each with its own exchange. */
const clients = Array.from({ length: 1000 }, (_, i) => `10.${i >> 8}.${i & 255}.1`)

async function around(plugin: unknown, options: unknown): Promise<Handler> {
  const ctx = new TestContext({ store: { reach: "machine" } as never })
  const middleware = (await setUp(plugin as never, options, ctx)) as (next: Handler) => Handler
  await ctx.start()
  return middleware(bare)
}

async function measure(handler: Handler, headers: Record<string, string> = {}): Promise<number> {
  const xs = clients.map(peer => exchange("/", { conn: { peer }, headers }))
  await handler(xs[0]!)
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const began = performance.now()
    for (let i = 0; i < ROUNDS; i++) {
      const x: TestExchange = xs[i % 1000]!
      void handler(x)
      if (x.ends !== null) {
        for (const end of x.ends) end({ status: 200, bytesOut: 0, ms: 0 })
        x.ends = null
      }
    }
    best = Math.min(best, ((performance.now() - began) / ROUNDS) * 1e6)
  }
  return best
}

const base = await measure(bare)
const show = (name: string, ns: number): void => console.log(`${name.padEnd(40)} ${(ns - base).toFixed(0).padStart(6)} ns`)
console.log(`${"the handler alone".padEnd(40)} ${base.toFixed(0).padStart(6)} ns`)
show("rate_limit, headers refused", await measure(await around(rateLimit, { rate: "1000000/1s", headers: "refused" })))
show("rate_limit, headers always", await measure(await around(rateLimit, "1000000/1s")))
show("rate_limit, three rules", await measure(await around(rateLimit, [1, 2, 3].map(n => ({ rate: `1000000/${n}s`, headers: "refused" })))))
show("limit_conn", await measure(await around(limitConn, 10)))
show("ip, 1000 networks", await measure(await around(ip, { deny: clients.map((_, i) => `172.16.${i >> 2}.${(i & 3) * 64}/26`) })))
show("basic_auth, known", await measure(await around(basicAuth, { users: { ann: hash } }), { Authorization: `Basic ${btoa("ann:secret")}` }))
show("jwt, known", await measure(await around(jwt, { algorithms: "HS256", secret }), { Authorization: `Bearer ${token}` }))
show("cors, named origin", await measure(await around(cors, ["https://a.example"]), { Origin: "https://a.example" }))
show("csrf", await measure(await around(csrf, {})))
show("security_headers", await measure(await around(securityHeaders, {})))
