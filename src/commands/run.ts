/** `edge run`, also without its name: serve in the foreground. */
import { resolve } from "node:path"
import type { Apart } from "../config/apart.ts"
import { createLogger, type LogSettings } from "../log/logger.ts"
import { Supervisor } from "../supervisor/supervisor.ts"

interface Options {
  readonly config: string
  readonly control?: string
}

export function run(options: Options): Promise<number> {
  return serve(options, { dev: false })
}

/** Resolves with the exit code when edge has stopped. */
export function serve({ config, control }: Options, { dev, text, apart, patient = true }: { dev: boolean; text?: string; apart?: Apart; patient?: boolean }): Promise<number> {
  const file = resolve(config)
  // Of the config that serves: pools and workers outlive it, and log as the next one says.
  const settings: LogSettings = { level: "info", format: "text" }
  const supervisor = new Supervisor({
    source: { file, ...(text !== undefined && { text }), ...(apart !== undefined && { apart }) },
    dev,
    patient,
    ...(control !== undefined && { control: resolve(control) }),
    log: createLogger(settings),
    logAs: ({ log }) => Object.assign(settings, { level: log.level, format: log.format }),
    say: line => console.log(line),
  })
  return supervisor.run()
}
