/** What gets and renews certificates, against the test authority: two at once, crashes, refusals, the local authority. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { X509Certificate } from "node:crypto"
import { AcmeAuthority } from "../../src/certificates/acme-authority.ts"
import type { Authority } from "../../src/certificates/authority.ts"
import { Keeper } from "../../src/certificates/keeper.ts"
import { LocalAuthority } from "../../src/certificates/local-authority.ts"
import type { Issued } from "../../src/certificates/managed.ts"
import type { Wanted } from "../../src/contract/certificates.ts"
import { httpProof } from "../../src/certificates/proof.ts"
import { dueOf, troubleAfter } from "../../src/certificates/schedule.ts"
import { Sealer } from "../../src/certificates/sealer.ts"
import { Vault } from "../../src/certificates/vault.ts"
import { describeWith } from "../kit/needs.ts"
import { Pebble } from "../kit/pebble.ts"
import { MemoryStore } from "./memory-store.ts"

setDefaultTimeout(60_000)

const HOUR = 3_600_000
const DAY = 24 * HOUR
const wanted = (...names: string[]): Wanted => ({ names, issuer: "acme" })

class Told {
  readonly lines: string[] = []
  readonly told = ({ level, message, names }: { level: string; message: string; names: readonly string[] }) => void this.lines.push(`${level} ${names.join()}: ${message}`)
}

describeWith(["pebble", "openssl"], "a keeper and an authority", () => {
  let pebble: Pebble
  let web: ReturnType<typeof Bun.serve>
  const store = new MemoryStore()
  const vault = new Vault(store, new Sealer(undefined))
  let orders = 0

  const authority = (more: { fetch?: (url: string, init: BunFetchRequestInit) => Promise<Response> } = {}) =>
    new AcmeAuthority({ directory: pebble.directory, ca: pebble.ca, userAgent: "edge-test", emails: [], algorithm: "p256", proofs: [httpProof(vault)], ...more }, vault)
  const counted = () =>
    authority({
      fetch: (url, init) => {
        if (url.includes("/order-plz")) orders++
        return fetch(url, init)
      },
    })
  const keeper = (acme: Authority[], told = new Told()) => new Keeper({ vault, authorities: { acme, internal: [] }, told: told.told })
  const signal = new AbortController().signal

  beforeAll(async () => {
    pebble = await Pebble.start()
    web = Bun.serve({
      hostname: "127.0.0.1",
      port: pebble.ports.http,
      fetch: async request => new Response((await vault.challenge<string>("http", new URL(request.url).pathname.split("/").at(-1)!)) ?? "none"),
    })
  })
  afterAll(async () => {
    await web?.stop(true)
    await pebble?.[Symbol.asyncDispose]()
  })

  test("what is not there is got, once by two at the same time, and everybody is told", async () => {
    const told = new Told()
    const changed: (string | null)[] = []
    const end = await vault.onChange(id => void changed.push(id))
    const names = wanted("two.example", "www.two.example")
    orders = 0
    const next = await Promise.all([keeper([counted()], told).tend([names], { signal }), keeper([counted()], told).tend([names], { signal })])
    expect(orders).toBe(1)
    expect(changed.length).toBe(1)
    const issued = (await vault.issued(names))!
    expect(new X509Certificate(issued.chain).subjectAltName).toBe("DNS:two.example, DNS:www.two.example")
    expect(told.lines.filter(line => line.startsWith("info two.example,www.two.example: a certificate by 127.0.0.1")).length).toBe(1)
    // One waits for the renewal, the other looks again soon.
    expect(next.filter(at => at > Date.now() + DAY).length).toBe(1)
    expect(await keeper([counted()]).tend([names], { signal })).toBeGreaterThan(Date.now() + DAY)
    expect(orders).toBe(1)
    // No order, trouble or lock stays behind.
    expect([...store.values.keys()].filter(key => !/^tls:(certificate|account):/.test(key))).toEqual([])
    end()
  })

  test("a process that dies between the order and its end: the next one ends the same order with the same key", async () => {
    const names = wanted("crash.example")
    orders = 0
    // Everything after the order fails, as with kill -9.
    const dying = authority({
      fetch: (url, init) => {
        if (url.includes("/order-plz")) orders++
        return url.includes("/authZ/") ? Promise.reject(new TypeError("SyntaxError, as far as the client knows", { cause: "killed" })) : fetch(url, init)
      },
    })
    const stopped = new AbortController()
    setTimeout(() => stopped.abort(new Error("killed")), 300)
    await keeper([dying]).tend([names], { signal: stopped.signal })
    const order = (await vault.order(names))!
    expect(order.url).toStartWith("https://")
    await keeper([counted()]).tend([names], { signal })
    const issued = (await vault.issued(names))!
    expect(issued.key).toBe(order.key)
    expect(orders).toBe(1)
  })

  test("a process that dies when the authority has made the account: the next one finds the same", async () => {
    const empty = new MemoryStore()
    const own = new Vault(empty, new Sealer(undefined))
    const made: (string | null)[] = []
    const options = { directory: pebble.directory, ca: pebble.ca, userAgent: "edge-test", emails: [], algorithm: "p256" as const, proofs: [httpProof(vault)] }
    const stopped = new AbortController()
    const dying = new AcmeAuthority(
      {
        ...options,
        fetch: async (url, init) => {
          const answer = await fetch(url, init)
          if (!url.includes("/sign-me-up")) return answer
          made.push(answer.headers.get("location"))
          stopped.abort(new Error("killed"))
          throw new Error("killed")
        },
      },
      own,
    )
    await expect(dying.issue(wanted("orphan.example"), { failures: 0, signal: stopped.signal })).rejects.toThrow("killed")
    await new AcmeAuthority(options, own).issue(wanted("orphan.example"), { failures: 0, signal })
    expect(made).toEqual([(await own.account(pebble.directory))!.kid])
  })

  test("trouble is told with the authority's words, waits, and goes on with the next authority", async () => {
    const names = wanted("fallback.example")
    const told = new Told()
    const refusing: Authority = { id: "https://refusing.test/dir", issue: () => Promise.reject(new Error("refusing.test says: CAA record for fallback.example prevents issuance [caa]")) }
    let now = Date.now()
    const one = new Keeper({ vault, authorities: { acme: [refusing, counted()], internal: [] }, told: told.told, now: () => now, random: () => 0 })
    expect(await one.tend([names], { signal })).toBe(now + 60_000)
    expect(told.lines).toEqual([
      `error fallback.example: no certificate: refusing.test says: CAA record for fallback.example prevents issuance [caa]; there is none, so nobody can connect; next try ${new Date(now + 60_000).toISOString()}`,
    ])
    // Not before its time, whoever asks.
    expect(await one.tend([names], { signal })).toBe(now + 60_000)
    expect(told.lines.length).toBe(1)
    now += 60_000
    await one.tend([names], { signal })
    expect((await vault.issued(names))?.authority).toBe(pebble.directory)
  })

  test("a hundred names, some at once", async () => {
    const many = Array.from({ length: 30 }, (_, i) => wanted(`m${i}.example`))
    await keeper([counted()]).tend(many, { signal, atOnce: 8 })
    expect((await Promise.all(many.map(one => vault.issued(one)))).filter(issued => issued !== undefined).length).toBe(30)
  })
})

describe("the local authority", () => {
  test("a chain that openssl verifies to the root; the same root for all, and after a year another intermediate", async () => {
    const vault = new Vault(new MemoryStore(), new Sealer("a secret"))
    const [one, two] = await Promise.all([new LocalAuthority(vault).issue({ names: ["a.internal", "*.b.internal", "10.0.0.1"], issuer: "internal" }), new LocalAuthority(vault).issue({ names: ["c.internal"], issuer: "internal" })])
    const root = await new LocalAuthority(vault).root()
    const leaf = new X509Certificate(one.chain)
    expect(leaf.subjectAltName).toBe("DNS:a.internal, DNS:*.b.internal, IP Address:10.0.0.1")
    for (const { chain } of [one, two]) expect(verify(root, chain)).toBe(true)
    const later = new LocalAuthority(vault, { now: () => Date.now() + 360 * DAY })
    const renewed = await later.issue({ names: ["a.internal"], issuer: "internal" })
    expect(await later.root()).toBe(root)
    expect(renewed.chain.split("-----END CERTIFICATE-----")[1]).not.toBe(one.chain.split("-----END CERTIFICATE-----")[1])
  })
})

/** Node's own check of each signature up to the root. */
function verify(root: string, chain: string): boolean {
  const [leaf, intermediate] = chain.split(/(?<=-----END CERTIFICATE-----)/).slice(0, 2).map(pem => new X509Certificate(pem.trim())) as [X509Certificate, X509Certificate]
  const top = new X509Certificate(root)
  return leaf.verify(intermediate.publicKey) && leaf.checkIssued(intermediate) && intermediate.verify(top.publicKey) && intermediate.checkIssued(top) && top.ca && intermediate.ca && !leaf.ca
}

describe("when", () => {
  const now = Date.parse("2026-06-01T00:00:00Z")
  const issued = (days: number, more: Partial<Issued> = {}): Issued => ({ names: ["a"], chain: "", key: "", authority: "x", algorithm: "p256", notBefore: now, notAfter: now + days * DAY, ...more })
  const at = (one: Issued | undefined, trouble?: { failures: number; why: string; againAt: number }) => dueOf(one, { trouble, now }).at - now

  test("two thirds of a long life, half of a short one", () => {
    expect(at(issued(90))).toBe(60 * DAY)
    expect(at(issued(6))).toBe(3 * DAY)
    expect(at(undefined)).toBe(0)
  })

  test("the authority's wish, unless it leaves no time for anything to go wrong", () => {
    const renewal = (days: number, ask: number) => ({ start: 0, end: 1, at: now + days * DAY, askAgainAt: now + ask * DAY })
    expect(dueOf(issued(90, { renewal: renewal(20, 30) }), { trouble: undefined, now })).toMatchObject({ do: "obtain", at: now + 20 * DAY, why: "the authority suggests it" })
    expect(dueOf(issued(90, { renewal: renewal(20, 1) }), { trouble: undefined, now })).toMatchObject({ do: "ask", at: now + DAY })
    expect(dueOf(issued(90, { renewal: renewal(89.9, 80) }), { trouble: undefined, now })).toMatchObject({ do: "obtain", at: now + 60 * DAY })
  })

  test("after trouble: a minute, two, four, ... eight hours at most, or what the authority asks for", () => {
    let trouble = troubleAfter(undefined, { why: "x", now, random: () => 0 })
    const waits = [trouble.againAt - now]
    for (let i = 0; i < 12; i++) waits.push((trouble = troubleAfter(trouble, { why: "x", now, random: () => 0 })).againAt - now)
    expect(waits.slice(0, 4)).toEqual([60_000, 120_000, 240_000, 480_000])
    expect(waits.at(-1)).toBe(8 * HOUR)
    expect(troubleAfter(undefined, { why: "x", now, asked: DAY, random: () => 0 }).againAt).toBe(now + DAY)
    expect(at(undefined, { failures: 1, why: "x", againAt: now + HOUR })).toBe(HOUR)
  })
})

test("sealed values open with their secret alone, and the store sees nothing of them", async () => {
  const store = new MemoryStore()
  await new Vault(store, new Sealer("one")).keepAccount("x", { key: "PRIVATE", kid: "k" }, { onlyIfAbsent: true })
  expect(Buffer.from((await store.get("tls:account:x"))!).toString("latin1")).not.toContain("PRIVATE")
  expect(await new Vault(store, new Sealer("one")).account("x")).toEqual({ key: "PRIVATE", kid: "k" })
  await expect(new Vault(store, new Sealer("two")).account("x")).rejects.toThrow("tls:account:x was sealed with another EDGE_TLS_SECRET")
  await expect(new Vault(store, new Sealer(undefined)).account("x")).rejects.toThrow("EDGE_TLS_SECRET must be")
})
