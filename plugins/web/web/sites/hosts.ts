import { domainToASCII } from "node:url"

/** Values by host: exact before the longest wildcard before the one for any host. Cost: 1 + labels of the host. */
export class HostTable<T> {
  readonly #exact = new Map<string, T>()
  /** `*.example.com` as `example.com`; any number of labels may stand for the `*`. */
  readonly #wild = new Map<string, T>()
  #any: T | undefined

  /** False when the host is there already. "" or "*" is any host. Throws when it is no host. */
  set(host: string, value: T): boolean {
    if (host === "" || host === "*") {
      if (this.#any !== undefined) return false
      this.#any = value
      return true
    }
    const wild = host.startsWith("*.")
    const name = toHost(wild ? host.slice(2) : host)
    const table = wild ? this.#wild : this.#exact
    if (table.has(name)) return false
    table.set(name, value)
    return true
  }

  get(host: string): T | undefined {
    return this.#exact.get(host) ?? this.#wider(host)
  }

  #wider(host: string): T | undefined {
    // "example.com." is the same name, fully qualified.
    if (host.endsWith(".")) return this.get(host.slice(0, -1))
    if (this.#wild.size > 0) {
      for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
        const found = this.#wild.get(host.slice(dot + 1))
        if (found !== undefined) return found
      }
    }
    return this.#any
  }
}

/** As it comes in a request: lower case, international names in their ASCII form. */
export function toHost(text: string): string {
  if (/^\[[0-9a-f:.]+\]$/i.test(text)) return text.toLowerCase()
  if (text.includes(":")) throw new Error(`the host "${text}" must not have a port; ports belong to "listen"`)
  const ascii = domainToASCII(text).toLowerCase()
  if (ascii === "" || !/^[a-z0-9_.-]+$/.test(ascii)) {
    throw new Error(`"${text}" is no host; expected a name such as "example.com" or "*.example.com"`)
  }
  return ascii.endsWith(".") ? ascii.slice(0, -1) : ascii
}
