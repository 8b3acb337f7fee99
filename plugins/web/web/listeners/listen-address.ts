/** One entry of `listen`, for a site with or without TLS. */
export interface Listen {
  /** One spelling for one address: "127.0.0.1:8080", "[::]:80", "unix:run/x.sock". */
  readonly address: string
  /** True where TLS is spoken. */
  readonly secure: boolean
  /** 0 for unix sockets. */
  readonly port: number
}

export function parseListen(text: string, tls: boolean): Listen {
  const [, scheme, rest] = /^(?:(https?):\/\/)?(.*?)\/?$/.exec(text)!
  if (scheme === "https" && !tls) throw new Error(`"${text}" asks for TLS, but the site has tls = "off"`)
  if (text.startsWith("unix:")) {
    if (text === "unix:") throw new Error('"unix:" names no path')
    return { address: text, secure: tls, port: 0 }
  }
  const { host, port } = split(rest!, text)
  const secure = tls && scheme !== "http" && (port !== 80 || scheme === "https")
  return { address: `${host}:${port}`, secure, port }
}

function split(rest: string, text: string): { host: string; port: number } {
  // nginx takes a port alone for all addresses, our default is this machine only: nobody should have to guess which.
  if (/^\d{1,5}$/.test(rest)) throw new Error(`"${text}" is a port without an address; write "127.0.0.1:${rest}" for this machine only, or "0.0.0.0:${rest}" for all`)
  const match = /^(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+|\*)?:)(\d{1,5})$/.exec(rest)
  const port = Number(match?.[2])
  if (match === null || port > 65535) {
    throw new Error(`"${text}" is no address; expected "127.0.0.1:8080", "[::]:80", ":80" or "unix:run/edge.http"`)
  }
  const host = match[1] ?? "0.0.0.0"
  return { host: host === "*" ? "0.0.0.0" : host.toLowerCase(), port }
}

/** What to show people, by the first host of a site. */
export function toUrl({ address, secure, port }: Listen, host: string | undefined): string {
  if (port === 0 && address.startsWith("unix:")) return address
  const scheme = secure ? "https" : "http"
  const own = address.slice(0, address.lastIndexOf(":"))
  const name = host ?? (own === "0.0.0.0" || own === "[::]" ? "localhost" : own)
  return port === (secure ? 443 : 80) ? `${scheme}://${name}/` : `${scheme}://${name}:${port}/`
}
