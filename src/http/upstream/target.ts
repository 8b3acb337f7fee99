/** Where an upstream is: what follows from one entry of `to`. */
export interface UpstreamTarget {
  /** As written in the config; names the upstream in logs. */
  readonly id: string
  /** Name or address without brackets; "" for a unix socket. */
  readonly hostname: string
  readonly port: number
  /** Path of the unix socket, or "". */
  readonly unix: string
  readonly secure: boolean
  /** Put before the path of every request; "" or "/prefix" without a slash at its end. */
  readonly prefix: string
  /** What the Host field says when it names the upstream. */
  readonly authority: string
}

/**
 * `http://host:port/prefix`, `https://host`, `unix:/path/to.sock` (with `unix:/path/to.sock:/prefix` as nginx writes it).
 * `resolve` makes a relative socket path absolute. Throws an Error that says what is wrong.
 */
export function parseTarget(text: string, resolve: (path: string) => string = path => path): UpstreamTarget {
  if (text.startsWith("unix:")) {
    const [path = "", prefix = "", ...more] = text.slice(5).split(":")
    if (path === "" || more.length > 0) throw new Error(`"${text}" is not unix:PATH or unix:PATH:/prefix`)
    return {
      id: text,
      hostname: "",
      port: 0,
      unix: resolve(path),
      secure: false,
      prefix: readPrefix(prefix, text),
      authority: "localhost",
    }
  }
  const match = /^(https?):\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?(\/[^\s]*)?$/i.exec(text)
  if (match === null) throw new Error(`"${text}" is not http://HOST:PORT, https://HOST:PORT or unix:PATH`)
  const secure = match[1]!.toLowerCase() === "https"
  const name = match[2]!
  const usual = secure ? 443 : 80
  const port = match[3] === undefined ? usual : Number(match[3])
  if (port < 1 || port > 65_535) throw new Error(`"${text}" has a port that is not between 1 and 65535`)
  return {
    id: text,
    hostname: name.startsWith("[") ? name.slice(1, -1) : name,
    port,
    unix: "",
    secure,
    prefix: readPrefix(match[4] ?? "", text),
    authority: port === usual ? name : `${name}:${port}`,
  }
}

function readPrefix(path: string, text: string): string {
  if (path !== "" && !path.startsWith("/")) throw new Error(`"${text}" has a path that does not start with "/"`)
  if (/[^\x21-\x7e]|[?#]/.test(path)) throw new Error(`"${text}" has a path with characters that cannot stand in one`)
  return path.endsWith("/") ? path.slice(0, -1) : path
}
