/** `edge serve WHAT`: a config made up for a folder, a TypeScript app, or a Python application. */
import { existsSync, readFileSync, statSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { tomlString as toml } from "../config/dump.ts"
import { EdgeError, errors } from "../errors.ts"
import { serve } from "./run.ts"

interface Options {
  readonly listen: string
  readonly dev?: boolean
}

export function run(options: Options, [what = "."]: readonly string[]): Promise<number> {
  // A port alone is the default with another port: this machine only.
  const listen = /^\d+$/.test(options.listen) ? `127.0.0.1:${options.listen}` : options.listen
  const made = configFor(what, { listen, cwd: process.cwd(), terminal: process.stdout.isTTY })
  // The config is not in a file; its name shows in messages, its folder is where paths start.
  const config = join(made.dir, "edge serve")
  const control = join(process.env["XDG_RUNTIME_DIR"] ?? "/tmp", `edge-serve-${process.pid}.sock`)
  return serve({ config, control }, { dev: options.dev === true, text: made.text, patient: false })
}

/** The config as text, and the folder where its paths start. On a terminal requests are told in short lines. */
export function configFor(
  what: string,
  { listen, cwd, terminal = false }: { listen: string; cwd: string; terminal?: boolean },
): { text: string; dir: string } {
  const path = resolve(cwd, what)
  const log = terminal ? '[log]\naccess = { format = "short" }\n\n' : ""
  const site = `${log}[[site]]\nlisten = [${toml(listen)}]\n\n[[site.route]]\n`
  if (existsSync(path)) {
    if (statSync(path).isDirectory()) return { dir: path, text: `${site}static = { root = ".", browse = true }\n` }
    if (/\.[cm]?[jt]sx?$/.test(path)) {
      return { dir: dirname(path), text: `${site}app = "app"\n\n[app.app]\nentry = ${toml(basename(path))}\n` }
    }
    throw new EdgeError(errors.cannotServe(what))
  }
  if (!/^[\w.]+:[\w.]+(\(.*\))?$/.test(what)) throw new EdgeError(errors.nothingToServe(what))
  return { dir: cwd, text: `${site}app = "app"\n\n[app.app]\nruntime = "${pythonRuntime(what, cwd)}"\nentry = ${toml(what)}\n` }
}

/** An ASGI callable is a coroutine function, or made by one of the ASGI frameworks; anything else is WSGI. */
function pythonRuntime(what: string, cwd: string): "asgi" | "wsgi" {
  const [module = "", name = ""] = what.replace(/\(.*\)$/, "").split(":")
  const path = join(cwd, ...module.split("."))
  const file = [`${path}.py`, join(path, "__init__.py")].find(one => existsSync(one))
  const source = file === undefined ? "" : readFileSync(file, "utf8")
  const isCoroutine = new RegExp(`^async\\s+def\\s+${name.replaceAll(".", "\\.")}\\b`, "m").test(source)
  return isCoroutine || /\b(FastAPI|Starlette|Quart|Litestar|get_asgi_application)\s*\(/.test(source) ? "asgi" : "wsgi"
}
