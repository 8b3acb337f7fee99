/** The executable in an empty folder of its own, as a newcomer has it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { executable } from "../build.ts"

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "edge-folder-"))

  write(files: Readonly<Record<string, string>>): this {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.path, name)), { recursive: true })
      writeFileSync(join(this.path, name), text)
    }
    return this
  }

  /** Runs `edge ...args` here, or in a folder below. */
  async edge(args: readonly string[], options: { in?: string; env?: Record<string, string> } = {}): Promise<Ran> {
    const child = Bun.spawn([await executable(), ...args], {
      cwd: join(this.path, options.in ?? ""),
      env: { PATH: process.env["PATH"] ?? "", ...options.env },
      stdout: "pipe",
      stderr: "pipe",
    })
    const [code, stdout, stderr] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()])
    return { code, stdout, stderr }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
