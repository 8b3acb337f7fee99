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

/** Runs a line, of one or more statements; gives the value of the last. What it declares is kept for the lines that follow. */
async function evaluate(line: string, scope: Record<string, unknown>): Promise<unknown> {
  const code = line.trim().replace(/;+$/, "")
  const names = Object.keys(scope)
  const declared = [...new Set([...code.matchAll(/(?:^|[;\n])\s*(?:const|let|var|function\*?|async function\*?|class)\s+([A-Za-z_$][\w$]*)/g)].map(([, name]) => name!))]
  // What is declared anew is a parameter no more: const x = 1, and const x = 2 on another line.
  const given = names.filter(name => !declared.includes(name))
  const kept = `__out.kept = { ${declared.map(name => `${name}: typeof ${name} === "undefined" ? undefined : ${name}`).join(", ")} }`
  const out: Out = { kept: {} }
  const returned = await compile(given, code, kept)(out, ...given.map(name => scope[name]))
  Object.assign(scope, out.kept)
  if (returned !== undefined) return returned
  return "value" in out ? out.value : out.kept[declared.at(-1) ?? ""]
}

/** Where a line leaves its value and what it declares. */
interface Out {
  value?: unknown
  kept: Record<string, unknown>
}

/** The last statement gives the value when it is an expression: found from the end on, as a `;` may stand in a text. */
function compile(names: readonly string[], code: string, kept: string): (...values: unknown[]) => Promise<unknown> {
  const ends = [...code.matchAll(/[;\n]/g)].map(match => match.index).toReversed()
  for (const at of [...ends, -1]) {
    const [before, last] = [code.slice(0, at + 1), code.slice(at + 1)]
    if (last.trim() === "") continue
    try {
      return new AsyncFunction("__out", ...names, `${before}\n__out.value = (${last}\n)\n${kept}`)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  return new AsyncFunction("__out", ...names, `${code}\n;${kept}`)
}

function shown(value: unknown): string {
  return Bun.inspect(value, { colors: isInteractive(), depth: 4 })
}
