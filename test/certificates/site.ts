/** A site whose certificates edge keeps, and what a client sees of it. */
import { X509Certificate } from "node:crypto"
import { connect } from "node:tls"

export const site = (o: { hosts: string[]; http?: number; https: number; tls: string }): string => `
[[site]]
hosts = ${JSON.stringify(o.hosts)}
listen = [${o.http === undefined ? "" : `"http://127.0.0.1:${o.http}", `}"127.0.0.1:${o.https}"]
tls = "${o.tls}"
[[site.route]]
respond = { status = 200, body = "over {scheme}" }
`

/** The certificate that a client sees who asks for the name; undefined when the handshake fails, with `ca` also when it is not of that root. */
export function shown(port: number, name: string, ca?: string): Promise<X509Certificate | undefined> {
  return new Promise(resolve => {
    const socket = connect({ port, host: "127.0.0.1", servername: name, rejectUnauthorized: ca !== undefined, ...(ca !== undefined && { ca }) }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw))
      socket.destroy()
    })
    socket.on("error", () => resolve(undefined))
  })
}
