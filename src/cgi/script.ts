/** Which script of a folder answers a path: it must be a file below the folder, links resolved, by one of the extensions. */
import { realpathSync, statSync } from "node:fs"
import { join, sep } from "node:path"
import { HttpError } from "../http/message/errors.ts"
import { encodePath, pathBytes, textOfPath } from "../http/message/path.ts"
import type { ScriptFacts } from "./params.ts"

export interface ScriptRules {
  /** Absolute. */
  readonly root: string
  /** Of a folder: "index.php". */
  readonly index: string
  /** With their dots. */
  readonly extensions: readonly string[]
  /** Path below the root of the script that answers what is no script; "" for 404. */
  readonly fallback: string
  /** False when the files are on another machine: only names are looked at. */
  readonly check: boolean
}

export class Scripts {
  readonly #rules: ScriptRules
  /** Up to the end of the first segment with the extension: `/a.php/b.php` is the script /a.php. */
  readonly #script: RegExp
  #realRoot: string | undefined

  constructor(rules: ScriptRules) {
    this.#rules = rules
    this.#script = new RegExp(`^/(?:[^/]+/)*?[^/]*(?:${rules.extensions.map(RegExp.escape).join("|")})(?=/|$)`)
  }

  /** `path` in normal form, `prefix` what `strip` took off it. Throws HttpError 404. */
  find(path: string, prefix: string): ScriptFacts {
    const { index, fallback } = this.#rules
    const named = this.#script.exec(path)?.[0] ?? (path.endsWith("/") ? path + index : undefined)
    if (named !== undefined) {
      const file = this.#fileOf(named)
      if (file !== undefined) return this.#facts(named, { file, prefix, pathInfo: pathBytes(encodePath(path.slice(named.length))) })
    }
    const file = fallback === "" ? undefined : this.#fileOf(fallback)
    if (file === undefined) throw new HttpError(404, `no script answers ${path}`)
    return this.#facts(fallback, { file, prefix, pathInfo: "" })
  }

  #facts(script: string, { file, prefix, pathInfo }: { file: string; prefix: string; pathInfo: string }): ScriptFacts {
    return { scriptName: prefix + script, pathInfo, documentRoot: this.#realRoot ?? this.#rules.root, scriptFilename: file }
  }

  /** Undefined when there is no such file, or not one that may run: `/.git/hook.php`, a link to a file outside. */
  #fileOf(script: string): string | undefined {
    const { root, check } = this.#rules
    const name = textOfPath(script)
    if (name === null || name.includes("/.") || name.includes("\\")) return undefined
    const path = join(root, name)
    if (!check) return path
    try {
      // Links in the root itself are the owner's way to switch releases: looked at anew each time.
      this.#realRoot = realpathSync(root)
      const real = realpathSync(path)
      const inside = real.startsWith(this.#realRoot + sep) && this.#rules.extensions.some(extension => real.endsWith(extension))
      return inside && statSync(real).isFile() ? real : undefined
    } catch {
      return undefined
    }
  }
}
