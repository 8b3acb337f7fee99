/** The settings of a Python config file, worked out by a Python that parses it and never runs it. */
import { EdgeError } from "../errors.ts"
import type { ForeignFile } from "./adapters.ts"
import program from "./python-settings.py" with { type: "text" }
import type { Value } from "./site.ts"

export interface PythonSetting {
  readonly line: number
  /** Absent when it cannot be worked out; `source` is its text then. */
  readonly value?: Value | null
  readonly source?: string
}

export interface PythonSettings {
  readonly settings: Readonly<Record<string, PythonSetting>>
  readonly functions: readonly { readonly name: string; readonly line: number }[]
  /** Statements that are neither. */
  readonly skipped: readonly { readonly line: number; readonly source: string }[]
}

const PYTHONS = ["/usr/bin/python3", "python3", "python"]

export async function readPythonSettings({ path, text }: ForeignFile): Promise<PythonSettings> {
  const python = PYTHONS.find(name => Bun.which(name) !== null)
  if (python === undefined) throw new EdgeError({ code: "adapt/python", message: `${path} is Python, and there is no python3 to parse it with` })
  // -I: nothing of the user's or of this folder is loaded.
  const child = Bun.spawn([python, "-I", "-c", program], { stdin: Buffer.from(text), stdout: "pipe", stderr: "pipe" })
  const [code, out, said] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()])
  if (code !== 0) throw new EdgeError({ code: "adapt/python", message: `${path} cannot be parsed: ${said.trim().split("\n").at(-1)}` })
  const answer = JSON.parse(out) as PythonSettings | { error: string; line: number }
  if ("error" in answer) throw new EdgeError({ code: "adapt/syntax", message: `${path}:${answer.line}: ${answer.error}` })
  return answer
}
