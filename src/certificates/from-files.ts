/** Certificates of files in a front: by name, once the files have changed under it. */
import type { TlsOptions } from "../http/server/tls.ts"
import { readTlsPair } from "../http/server/tls-pair.ts"

export class FileCertificates {
  readonly #all: TlsOptions["certificates"][number][] = []
  /** Host -> what is shown in place of what the listener began with. */
  readonly #changed = new Map<string, unknown>()

  add(certificates: TlsOptions["certificates"]): void {
    this.#all.push(...certificates)
  }

  find(name: string): unknown {
    if (this.#changed.size === 0) return undefined
    return this.#changed.get(name) ?? this.#changed.get(`*${name.slice(Math.max(name.indexOf("."), 0))}`)
  }

  /** Reads all files anew. Rejects when one cannot be used; then nothing has changed. */
  async renew(): Promise<void> {
    const { createSecureContext } = await import("node:tls")
    const contexts = new Map<string, unknown>()
    for (const { files, hosts } of this.#all) {
      if (files === undefined) continue
      const pair = await readTlsPair(files, (_, why) => new Error(why))
      const { context } = createSecureContext({ cert: pair.cert, key: pair.key }) as unknown as { context: unknown }
      for (const host of hosts) if (!contexts.has(host)) contexts.set(host, context)
    }
    for (const [host, context] of contexts) this.#changed.set(host, context)
  }
}
