import { parseArgs, type ParseArgsConfig } from "node:util"
import { CommandError } from "../part.ts"

/** Options of a command; one that it does not know is told in a line, not as a stack. */
export function options<const T extends NonNullable<ParseArgsConfig["options"]>>(args: readonly string[], known: T) {
  try {
    return parseArgs({ args: [...args], options: known, allowPositionals: true, strict: true })
  } catch (error) {
    const names = Object.keys(known).map(name => `--${name}`)
    throw new CommandError(`${(error as Error).message.split(". ")[0]}; options: ${names.length === 0 ? "none" : names.join(", ")}`)
  }
}
