/** The ACME client against the test authority: each challenge, refused nonces, crashes in the middle, words of refusal. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { X509Certificate } from "node:crypto"
import { changeKey, findAccount, openAccount } from "../../src/certificates/acme/account.ts"
import { challengeCertificate, requestFor } from "../../src/certificates/requests.ts"
import { accountDnsName, alpnDigest, type Challenge, dnsName, dnsValue, keyAuthorization } from "../../src/certificates/acme/challenge.ts"
import { exportKey, importKey, newAccountKey } from "../../src/certificates/acme/jose.ts"
import { Orders } from "../../src/certificates/acme/order.ts"
import { AcmeError } from "../../src/certificates/acme/problem.ts"
import { certificateId } from "../../src/certificates/acme/renewal-info.ts"
import { type Signer, Transport } from "../../src/certificates/acme/transport.ts"
import { describeWith } from "../kit/needs.ts"
import { Pebble } from "../kit/pebble.ts"

setDefaultTimeout(60_000)

const tokens = new Map<string, string>()

/** Answers http-01 for every name. */
function challengeServer(port: number) {
  return Bun.serve({
    port,
    hostname: "127.0.0.1",
    fetch: request => {
      const token = new URL(request.url).pathname.replace("/.well-known/acme-challenge/", "")
      return new Response(tokens.get(token) ?? "none", { status: tokens.has(token) ? 200 : 404 })
    },
  })
}

type Prove = (challenge: Challenge, name: string, signer: Required<Signer>) => Promise<void> | void

const byHttp: Prove = (challenge, _, { key }) => void tokens.set(challenge.token!, keyAuthorization(challenge, key))

async function issue(transport: Transport, signer: Required<Signer>, { names, type = "http-01", prove = byHttp }: { names: string[]; type?: string; prove?: Prove }) {
  const orders = new Orders(transport, signer)
  const placed = await orders.place({ names })
  await Promise.all(
    placed.order.authorizations.map(async url => {
      const { status, identifier, challenges } = await orders.authorization(url)
      if (status === "valid") return
      const challenge = challenges.find(one => one.type === type)
      if (challenge === undefined) throw new Error(`no ${type} among ${challenges.map(one => one.type).join()}`)
      await prove(challenge, identifier.value, signer)
      await orders.respond(challenge)
      await orders.validated(url)
    }),
  )
  const { key, request } = await requestFor(names, "p256")
  return { key, chain: await orders.finish(placed, request), placed, orders }
}

describeWith(["pebble", "openssl"], "ACME", () => {
  let pebble: Pebble
  let web: ReturnType<typeof challengeServer>
  let transport: Transport
  let signer: Required<Signer>

  beforeAll(async () => {
    pebble = await Pebble.start()
    web = challengeServer(pebble.ports.http)
    transport = new Transport({ directory: pebble.directory, ca: pebble.ca, userAgent: "edge-test" })
    signer = await openAccount(transport, { key: await newAccountKey(), emails: ["me@example.com"] })
  })
  afterAll(async () => {
    await web?.stop(true)
    await pebble?.[Symbol.asyncDispose]()
  })

  test("http-01: two names, a chain that the key belongs to", async () => {
    const { key, chain } = await issue(transport, signer, { names: ["a.example", "b.example"] })
    const certificate = new X509Certificate(chain)
    expect(certificate.subjectAltName).toBe("DNS:a.example, DNS:b.example")
    expect(certificate.checkPrivateKey((await import("node:crypto")).createPrivateKey(key))).toBe(true)
    expect(chain.match(/BEGIN CERTIFICATE/g)!.length).toBeGreaterThan(1)
    expect(certificateId(chain)).toMatch(/^[\w-]{27}\.[\w-]{8,}$/)
  })

  test("tls-alpn-01", async () => {
    const shown = new Map<string, { cert: string; key: string }>()
    const { createSecureContext } = await import("node:tls")
    const prove: Prove = async (challenge, name, { key }) => void shown.set(name, await challengeCertificate(name, alpnDigest(challenge, key)))
    const fallback = await challengeCertificate("none.example", new Uint8Array(32))
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: pebble.ports.tls,
      tls: { ...fallback, ALPNProtocols: Buffer.from("\x0aacme-tls/1", "latin1") } as never,
      socket: { data() {}, handshake() {}, serverName: (_: unknown, name: string) => (createSecureContext(shown.get(name) ?? fallback) as unknown as { context: unknown }).context },
    } as never) as { stop(now: boolean): void }
    const { chain } = await issue(transport, signer, { names: ["alpn.example"], type: "tls-alpn-01", prove })
    server.stop(true)
    expect(new X509Certificate(chain).subjectAltName).toBe("DNS:alpn.example")
  })

  test("dns-01: a wildcard beside its base", async () => {
    const prove: Prove = async (challenge, name, { key }) => pebble.dns("set-txt", { host: `${dnsName(name)}.`, value: dnsValue(challenge, key) })
    const { chain } = await issue(transport, signer, { names: ["*.wild.example"], type: "dns-01", prove })
    expect(new X509Certificate(chain).subjectAltName).toBe("DNS:*.wild.example")
  })

  test("a key kept as PEM is the same account; a changed key is, too", async () => {
    const key = await importKey(await exportKey(signer.key))
    expect((await findAccount(transport, key))?.kid).toBe(signer.kid)
    expect(await findAccount(transport, await newAccountKey())).toBeUndefined()
    const mine = await openAccount(transport, { key: await newAccountKey(), emails: [] })
    const changed = await changeKey(transport, mine, await newAccountKey())
    expect((await findAccount(transport, changed.key))?.kid).toBe(mine.kid)
    expect(await findAccount(transport, mine.key)).toBeUndefined()
    await issue(transport, changed, { names: ["changed.example"] })
  })

  test("a refusal is the authority's own words, with the name and the challenge", async () => {
    const wrong: Prove = challenge => void tokens.set(challenge.token!, "something else")
    const refused = issue(transport, signer, { names: ["refused.example"], prove: wrong })
    await expect(refused).rejects.toThrow(AcmeError)
    await expect(refused).rejects.toThrow(/refused\.example by http-01: .*\[unauthorized\]/)
    await expect(new Orders(transport, signer).place({ names: ["not a name"] })).rejects.toThrow(/says: .*\[(malformed|rejectedIdentifier)\]/)
  })

  test("an order is taken up again from its URL, by another process", async () => {
    const orders = new Orders(transport, signer)
    const { url, order } = await orders.place({ names: ["again.example"] })
    const [authorization] = order.authorizations
    const { challenges } = await orders.authorization(authorization!)
    const challenge = challenges.find(one => one.type === "http-01")!
    byHttp(challenge, "again.example", signer)
    await orders.respond(challenge)
    // From here on, only the account's key and the URL are known.
    const later = new Orders(new Transport({ directory: pebble.directory, ca: pebble.ca, userAgent: "edge-test" }), { key: await importKey(await exportKey(signer.key)), kid: signer.kid })
    const { request } = await requestFor(["again.example"], "p256")
    const chain = await later.finish({ url, order: await later.look(url) }, request)
    expect(new X509Certificate(chain).subjectAltName).toBe("DNS:again.example")
    // What was issued can be had again, and revoked.
    const done = await later.look(url)
    expect(await later.chain(done.certificate!)).toBe(chain)
    await later.revoke(new X509Certificate(chain).raw, 4)
    await expect(later.revoke(new X509Certificate(chain).raw, 4)).rejects.toThrow(/alreadyRevoked/)
  })

  test("names of records", () => {
    expect(dnsName("*.a.example")).toBe("_acme-challenge.a.example")
    // The example of draft-ietf-acme-dns-account-label.
    expect(accountDnsName("example.org", "https://example.com/acme/acct/ExampleAccount")).toBe("_ujmmovf2vn55tgye._acme-challenge.example.org")
  })
})

describeWith(["pebble", "openssl"], "ACME with refused nonces", () => {
  test("half of all nonces are refused, twenty orders at once: none is lost", async () => {
    await using pebble = await Pebble.start({ env: { PEBBLE_WFE_NONCEREJECT: "50" } })
    const web = challengeServer(pebble.ports.http)
    const transport = new Transport({ directory: pebble.directory, ca: pebble.ca, userAgent: "edge-test" })
    const signer = await openAccount(transport, { key: await newAccountKey(), emails: [] })
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => issue(transport, signer, { names: [`n${i}.example`] })))
    expect(all.map(({ chain }) => new X509Certificate(chain).subjectAltName)).toEqual(Array.from({ length: 20 }, (_, i) => `DNS:n${i}.example`))
    await web.stop(true)
  })

  test("an authority that needs credentials for an account", async () => {
    const kid = "kid-1"
    const hmacKey = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    await using pebble = await Pebble.start({ config: { externalAccountBindingRequired: true, externalAccountMACKeys: { [kid]: hmacKey } } })
    const transport = new Transport({ directory: pebble.directory, ca: pebble.ca, userAgent: "edge-test" })
    const key = await newAccountKey()
    await expect(openAccount(transport, { key, emails: [] })).rejects.toThrow(/wants credentials/)
    await expect(openAccount(transport, { key, emails: [], external: { kid, hmacKey: Buffer.from("wrong").toString("base64url") } })).rejects.toThrow(AcmeError)
    expect((await openAccount(transport, { key, emails: [], external: { kid, hmacKey } })).kid).toStartWith("https://")
  })
})

test("a passing fault is waited out, a refusal is not; Retry-After in both forms", async () => {
  const waits: number[] = []
  let answers: Response[] = []
  const asked: string[] = []
  const directory = { newNonce: "https://a.test/nonce", newAccount: "https://a.test/account", newOrder: "https://a.test/order", revokeCert: "", keyChange: "" }
  const now = Date.parse("2026-01-01T00:00:00Z")
  const transport = new Transport({
    directory: "https://a.test/dir",
    userAgent: "edge-test",
    now: () => now,
    sleep: async ms => void waits.push(ms),
    fetch: async (url, { body }) => {
      if (url.endsWith("/dir")) return Response.json(directory)
      if (url.endsWith("/nonce")) return new Response(null, { headers: { "replay-nonce": "n" } })
      asked.push(String(body))
      const answer = answers.shift()!
      return answer
    },
  })
  const signer = { key: await newAccountKey(), kid: "https://a.test/acct/1" }
  const busy = (headers: Record<string, string> = {}) => new Response("busy", { status: 503, headers: { "replay-nonce": "m", ...headers } })
  answers = [busy(), busy({ "retry-after": "3" }), busy({ "retry-after": "Thu, 01 Jan 2026 00:00:07 GMT" }), Response.json({ ok: true })]
  expect((await transport.post("https://a.test/x", {}, signer)).body).toEqual({ ok: true })
  expect(waits).toEqual([1000, 3000, 7000])
  // Each was signed anew.
  expect(new Set(asked).size).toBe(4)
  // Too long to wait here: the caller plans it.
  answers = [busy({ "retry-after": "3600" })]
  const late = await transport.post("https://a.test/x", {}, signer).catch((error: unknown) => error as AcmeError)
  expect(late).toMatchObject({ status: 503, retryAfterMs: 3_600_000 })
  const limited = { type: "urn:ietf:params:acme:error:rateLimited", detail: "too many certificates" }
  answers = [Response.json(limited, { status: 429, headers: { "content-type": "application/problem+json", "retry-after": "5" } })]
  expect(await transport.post("https://a.test/x", {}, signer).catch((error: unknown) => error)).toMatchObject({ type: "rateLimited", retryAfterMs: 5000, message: "a.test says: too many certificates [rateLimited]" })
  expect(waits.length).toBe(3)
})
