/** `edge trust`: makes this machine trust the root of `tls = "internal"`. */
import { openCertificates } from "../certificates/open.ts"
import { trustStores } from "../certificates/trust-stores.ts"
import { loadConfig } from "../config/load.ts"
import { createLogger } from "../log/logger.ts"

interface Options {
  readonly config: string
  readonly print?: boolean
}

export async function run({ config: file, print }: Options): Promise<number> {
  // Rights are dropped to read the store, and needed again to write the system's: so the root is had first, by a child of ours.
  if (print === true) {
    const { local, close } = await openCertificates(await loadConfig(file), { log: createLogger({ level: "warn", format: "text" }) })
    process.stdout.write(await local.root())
    await close()
    return 0
  }
  const { selfArgv } = await import("../system/self.ts")
  const child = Bun.spawn([...selfArgv("trust"), "--print", "--config", file], { stdio: ["ignore", "pipe", "inherit"] })
  const root = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) return 1
  let installed = 0
  for (const store of trustStores()) {
    const problem = store.install(root)
    console.log(`${store.name}: ${problem ?? "trusts it"}`)
    if (problem === undefined) installed++
  }
  if (installed > 0) return 0
  console.log(`no store could be written; put this where the system or the browser takes authorities:\n\n${root}`)
  return 1
}
