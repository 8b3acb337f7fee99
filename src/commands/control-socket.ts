import { resolve } from "node:path"
import { loadConfig } from "../config/load.ts"

export interface ControlOptions {
  readonly config: string
  readonly control?: string
}

/** Where the running edge listens: what the option says, else what the config says. */
export async function controlSocket({ config, control }: ControlOptions): Promise<string> {
  if (control !== undefined) return resolve(control)
  // Even a config that is broken elsewhere can say it: `edge reload` then shows what is wrong, as edge sees it.
  return (await loadConfig(config)).readKernel().kernel.server.control
}
