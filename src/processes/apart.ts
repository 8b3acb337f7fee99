/** `edge __apart CONFIG FOLDER [NAME ...]`: `edge run` for a test of the whole site (config/apart.ts); NAMEs are variables that the test gives. */
import { join } from "node:path"
import { serve } from "../commands/run.ts"

/** Resolves with the exit code. */
export function run([config, folder, ...names]: readonly string[]): Promise<number> {
  const given = Object.fromEntries(names.map(name => [name, process.env[name] ?? ""]))
  return serve({ config: config!, control: join(folder!, "control.sock") }, { dev: false, apart: { folder: folder!, given } })
}
