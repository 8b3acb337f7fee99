/** Connections that the kernel had accepted may surface this long after `stop`, those in a TLS handshake too. */
export const lingerMs = 400

/** Options of Bun.listen that say where. */
export function listenPlace(o: { readonly fd?: number; readonly unix?: string; readonly hostname?: string; readonly port?: number }): object {
  if (o.fd !== undefined) return { fd: o.fd }
  if (o.unix !== undefined) return { unix: o.unix }
  return { hostname: o.hostname ?? "127.0.0.1", port: o.port ?? 0 }
}
