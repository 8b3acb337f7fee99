import { createInterface } from "node:readline"
import type { AnyApp } from "../app.ts"
import type { AppCommand } from "../part.ts"
import { options } from "./args.ts"
import { isInteractive } from "./terminal.ts"

export const shell: AppCommand = {
  name: "shell",
  help: 'a prompt with the app and its models (Post for "post"); -c CODE runs one line; await is allowed',
  async run(args, app) {
    const { values } = options(args, { code: { type: "string", short: "c" } })
    const scope = scopeOf(app)
    if (values.code !== undefined) {
      console.log(shown(await evaluate(values.code, scope)))
      return 0
    }
    const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt: "> ", terminal: isInteractive() })
    console.log(`${Object.keys(scope).join(", ")}`)
    terminal.prompt()
    for await (const line of terminal) {
      if (line.trim() === ".exit") break
      try {
        if (line.trim() !== "") console.log(shown(await evaluate(line, scope)))
      } catch (error) {
        console.log(error instanceof Error ? `${error.name}: ${error.message}` : String(error))
      }
      terminal.prompt()
    }
    terminal.close()
    return 0
  },
}

function scopeOf(app: AnyApp): Record<string, unknown> {
  const scope: Record<string, unknown> = { app }
  for (const model of app.models) scope[model.name.charAt(0).toUpperCase() + model.name.slice(1)] = model
  return scope
}

const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...values: unknown[]) => Promise<unknown>

/** `const x = ...` is kept for the lines that follow. */
async function evaluate(line: string, scope: Record<string, unknown>): Promise<unknown> {
  const named = /^\s*(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=(.*)$/s.exec(line)
  const code = (named === null ? line : named[2]!).trim().replace(/;$/, "")
  const names = Object.keys(scope)
  const result = await compile(names, code)(...names.map(name => scope[name]))
  if (named !== null) scope[named[1]!] = result
  return result
}

/** An expression gives its value; anything else is run as statements. */
function compile(names: readonly string[], code: string): (...values: unknown[]) => Promise<unknown> {
  try {
    return new AsyncFunction(...names, `return (${code}\n)`)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return new AsyncFunction(...names, code)
  }
}

function shown(value: unknown): string {
  return Bun.inspect(value, { colors: isInteractive(), depth: 4 })
}
