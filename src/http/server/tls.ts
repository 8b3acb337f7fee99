import { dlopen, ptr } from "bun:ffi"
import type { Socket } from "bun"
import type { TlsFacts } from "../message/exchange.ts"

/** What a listener needs to speak TLS. */
export interface TlsOptions {
  /** PEM texts. The first is used when no name matches. */
  readonly certificates: readonly {
    readonly cert: string
    readonly key: string
    readonly hosts: readonly string[]
    /** Where they were read, absolute: what changes there is served without a reload. */
    readonly files?: { readonly cert: string; readonly key: string }
  }[]
  /** Names whose certificates edge keeps itself; the first is for clients that name no host, when `certificates` is empty. */
  readonly kept?: readonly string[]
  /** Offered by ALPN, in this order; default h2, http/1.1. */
  readonly alpn?: readonly string[]
  /** PEM: clients may show a certificate of this authority. */
  readonly clientCa?: string
}

/** Bun's types do not name the descriptor. */
export type TlsSocket = Socket<unknown> & { readonly fd: number }

/** Options of Bun.listen: `tls`, and the handler that chooses a certificate by name. */
export interface TlsListening {
  readonly tls: object
  readonly serverName?: (server: unknown, name: string) => unknown
}

/** `find` knows certificates that have changed since, by name; what it does not know is looked for in `certificates`. */
export function tlsListening(o: TlsOptions, find?: (name: string) => unknown): TlsListening {
  const [first] = o.certificates
  if (first === undefined) throw new Error("TLS without a certificate")
  const tls = {
    cert: first.cert,
    key: first.key,
    ALPNProtocols: alpnList([...(o.alpn ?? ["h2", "http/1.1"]), ...(o.kept === undefined ? [] : [ACME_ALPN])]),
    ...(o.clientCa !== undefined && { ca: o.clientCa, requestCert: true, rejectUnauthorized: false }),
  }
  if (o.certificates.length === 1 && find === undefined) return { tls }
  // node:tls costs 30 ms to load: only for those who have more than one name.
  const { createSecureContext } = process.getBuiltinModule("node:tls")
  const byName = new Map<string, unknown>()
  for (const { cert, key, hosts } of o.certificates) {
    const { context } = createSecureContext({ cert, key }) as unknown as { context: unknown }
    for (const host of hosts) if (!byName.has(host.toLowerCase())) byName.set(host.toLowerCase(), context)
  }
  if (find === undefined) return { tls, serverName: (_server, name) => findName(byName, name) }
  return { tls, serverName: (_server, name) => find(name.toLowerCase()) ?? findName(byName, name) }
}

/** An exact name, else a wildcard in place of its first label (RFC 6125, 6.4.3); undefined: the first certificate. */
function findName(byName: ReadonlyMap<string, unknown>, sent: string): unknown {
  const name = sent.toLowerCase()
  const exact = byName.get(name)
  if (exact !== undefined) return exact
  const dot = name.indexOf(".")
  return dot < 0 ? undefined : byName.get("*" + name.slice(dot))
}

/** RFC 8737, 4: offered by authorities alone, which close after the handshake. */
const ACME_ALPN = "acme-tls/1"

/** RFC 7301, 3.1: each name behind its length. */
function alpnList(names: readonly string[]): Buffer {
  return Buffer.concat(names.map(name => Buffer.concat([Buffer.from([name.length]), Buffer.from(name, "latin1")])))
}

/** What the handshake agreed on. `clientCert` only when it was verified: the handshake's own flag does not say that. */
export function tlsFacts(socket: TlsSocket): TlsFacts {
  const clientCert = socket.authorized ? socket.getPeerCertificate() : undefined
  return {
    sni: String(socket.getServername() ?? "").toLowerCase(),
    alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
    version: socket.getTLSVersion() ?? "",
    ...(clientCert !== undefined && { clientCert }),
  }
}

const one = new Int32Array([1])
const tcpQuickAck = 12

/**
 * Acknowledge at once, once: a client that does not set TCP_NODELAY holds the second half of its handshake back until
 * ours arrives, which the kernel delays by 40 ms. Linux only; elsewhere, and when it fails, nothing happens.
 */
export function quickAck(socket: TlsSocket): void {
  setOption ??= loadSetOption()
  setOption(socket.fd, 6, tcpQuickAck, ptr(one), 4)
}

type SetOption = (fd: number, level: number, option: number, value: ReturnType<typeof ptr>, size: number) => unknown
let setOption: SetOption | undefined

function loadSetOption(): SetOption {
  if (process.platform !== "linux") return () => {}
  const arch = process.arch === "arm64" ? "aarch64" : "x86_64"
  for (const name of ["libc.so.6", `libc.musl-${arch}.so.1`, `/lib/ld-musl-${arch}.so.1`]) {
    try {
      return dlopen(name, { setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" } }).symbols.setsockopt
    } catch {
      // Another C library.
    }
  }
  return () => {}
}
