import { join } from "node:path"

/** A certificate of its own for localhost, made by the openssl of the machine. */
export async function certificate(folder: string): Promise<{ cert: string; key: string; hosts: string[] }> {
  const key = join(folder, "key.pem")
  const cert = join(folder, "cert.pem")
  const run = Bun.spawn(
    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
    { stdout: "ignore", stderr: "pipe" },
  )
  if ((await run.exited) !== 0) throw new Error(await new Response(run.stderr).text())
  return { cert: await Bun.file(cert).text(), key: await Bun.file(key).text(), hosts: ["localhost"] }
}
