/** The kept certificates in a front: by name for handshakes, changed while it serves; and what authorities look for. */
import type { Exchange } from "../http/message/exchange.ts"
import type { Answer, Awaitable, Handler } from "../http/middleware/chain.ts"
import type { Logger } from "../log/logger.ts"
import type { Store } from "../contract/store.ts"
import { HeaderList } from "../http/message/headers.ts"
import { Reply } from "../http/message/reply.ts"
import { idOf, type Issued } from "./managed.ts"
import type { Wanted, CertificatePlan } from "../contract/certificates.ts"
import { Sealer } from "./sealer.ts"
import { Vault } from "./vault.ts"

/** Where RFC 8555, 8.3 says that http-01 looks. */
const CHALLENGE_PATH = "/.well-known/acme-challenge/"

/** What node:tls makes of a pair, and Bun.listen takes for a name. */
type TlsContext = unknown

interface Entry {
  readonly wanted: Wanted
  issued: Issued | undefined
  /** Made at the first handshake: 10,000 names cost nothing until somebody comes. */
  context: TlsContext | undefined
}

export class ServedCertificates {
  readonly #vault: Vault
  readonly #log: Logger
  readonly #byId = new Map<string, Entry>()
  readonly #byName = new Map<string, Entry>()
  /** Of tls-alpn-01: the server's name -> what is shown, for the minute in which the authority looks. */
  readonly #challenges = new Map<string, TlsContext>()
  #end: (() => void)[] = []
  /** A listener needs some certificate; made only when a name has none yet. */
  placeholder: { cert: string; key: string } | undefined

  constructor(wanted: readonly Wanted[], { vault, log }: { vault: Vault; log: Logger }) {
    this.#vault = vault
    this.#log = log
    for (const one of wanted) {
      const entry: Entry = { wanted: one, issued: undefined, context: undefined }
      this.#byId.set(idOf(one), entry)
      for (const name of one.names) this.#byName.set(name, entry)
    }
  }

  /** Loads what is there and follows what changes. Rejects when the store cannot be read: a front without certificates is of no use. */
  async start(): Promise<void> {
    this.#end = await Promise.all([
      this.#vault.onChange(id => void this.#changed(id)),
      this.#vault.onChallenge(name => void this.#challenged(name)),
    ])
    const all = [...this.#byId.values()]
    await Promise.all(all.map(entry => this.#load(entry)))
    if (all.every(({ issued }) => issued !== undefined)) return
    const { challengeCertificate } = await import("./requests.ts")
    this.placeholder = await challengeCertificate("no-certificate-yet.invalid", new Uint8Array(32))
  }

  stop(): void {
    for (const end of this.#end.splice(0)) end()
  }

  /** For a handshake: the certificate of that name, or of the wildcard above it; undefined when there is none (yet). */
  find(name: string): TlsContext | undefined {
    if (this.#challenges.size > 0) {
      const challenge = this.#challenges.get(name)
      if (challenge !== undefined) return challenge
    }
    const entry = this.#byName.get(name) ?? this.#byName.get(`*${name.slice(Math.max(name.indexOf("."), 0))}`)
    if (entry?.issued === undefined) return undefined
    return (entry.context ??= toContext(entry.issued.chain, entry.issued.key))
  }

  /** A pair for clients that name no host: the first of these names that has one; until one has, one that nobody trusts. */
  pairFor(names: readonly string[]): { cert: string; key: string } {
    const issued = names.map(name => this.#byName.get(name)?.issued).find(one => one !== undefined)
    return issued === undefined ? this.placeholder! : { cert: issued.chain, key: issued.key }
  }

  /** Answers what authorities ask for; everything else is the handler's. */
  around(handler: Handler): Handler {
    return (x: Exchange): Awaitable<Answer> => (x.path.startsWith(CHALLENGE_PATH) && x.scheme === "http" ? this.#answer(x, handler) : handler(x))
  }

  async #answer(x: Exchange, handler: Handler): Promise<Answer> {
    const token = x.path.slice(CHALLENGE_PATH.length)
    // RFC 8555, 8.3: base64url, which also keeps strange keys from the store.
    const found = /^[\w-]{1,200}$/.test(token) ? await this.#vault.challenge<string>("http", token).catch(() => undefined) : undefined
    // Somebody else's challenge (certbot behind us) is a file or an app like any other.
    if (found === undefined) return handler(x)
    return new Reply(200, new HeaderList(["Content-Type", "application/octet-stream", "Cache-Control", "no-store"]), found)
  }

  async #changed(id: string | null): Promise<void> {
    const entries = id === null ? [...this.#byId.values()] : [this.#byId.get(id)]
    for (const entry of entries) {
      if (entry === undefined) continue
      await this.#load(entry).catch((error: unknown) => this.#log.error("a new certificate cannot be read; the old one is served", { error, names: entry.wanted.names.join() }))
    }
  }

  async #load(entry: Entry): Promise<void> {
    const issued = await this.#vault.issued(entry.wanted)
    if (issued === undefined || issued.chain === entry.issued?.chain) return
    entry.issued = issued
    entry.context = undefined
  }

  async #challenged(name: string | null): Promise<void> {
    if (name === null) return
    const shown = await this.#vault.challenge<{ cert: string; key: string }>("alpn", name).catch(() => undefined)
    if (shown === undefined) this.#challenges.delete(name)
    else this.#challenges.set(name, toContext(shown.cert, shown.key))
  }
}

/** Rejects when the store cannot be read. */
export async function serveCertificates({ wanted }: CertificatePlan, { store, log }: { store: Store; log: Logger }): Promise<ServedCertificates> {
  const served = new ServedCertificates(wanted, { vault: new Vault(store, new Sealer(process.env["EDGE_TLS_SECRET"])), log })
  await served.start()
  return served
}

/** node:tls costs 30 ms to load: only for those who keep certificates. */
function toContext(cert: string, key: string): TlsContext {
  const { createSecureContext } = process.getBuiltinModule("node:tls")
  return (createSecureContext({ cert, key }) as unknown as { context: TlsContext }).context
}
