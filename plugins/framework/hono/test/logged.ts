import type { Logger } from "edge"

/** What the app said to its log. */
export interface Logged {
  readonly level: "debug" | "info" | "warn" | "error"
  readonly message: string
  readonly fields: Record<string, unknown>
}

export function loggerInto(logged: Logged[]): Logger {
  const at = (level: Logged["level"]) => (message: string, fields: Record<string, unknown> = {}): void => {
    logged.push({ level, message, fields })
  }
  const log: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), with: () => log }
  return log
}
