/** The `[uwsgi]` section of an ini file as uWSGI reads it: keys may repeat, `%(name)` and `$(NAME)` are replaced. */
import { basename, dirname, extname } from "node:path"
import type { ForeignFile } from "./adapters.ts"

export interface IniSetting {
  readonly name: string
  readonly value: string
  readonly line: number
}

/** In the order of the file; `used` are names that others were made of. Sections beside `[uwsgi]` are read when it names them (`ini = :name`). */
export function readIni({ path, text }: ForeignFile): { readonly settings: readonly IniSetting[]; readonly used: ReadonlySet<string> } {
  const sections = cut(text)
  const own: Record<string, string> = {
    // Magic variables of the file (uWSGI's "Magic variables").
    p: path,
    s: basename(path),
    d: `${dirname(path)}/`,
    c: basename(dirname(path)),
    n: basename(path, extname(path)),
    e: extname(path).slice(1),
    k: "",
  }
  const settings: IniSetting[] = []
  const used = new Set<string>()
  const take = (section: string, depth: number): void => {
    for (const setting of sections.get(section) ?? []) {
      const value = replace(setting.value, { own, used })
      own[setting.name] = value
      if (setting.name === "ini" && value.startsWith(":") && depth < 5) take(value.slice(1), depth + 1)
      else settings.push({ ...setting, value })
    }
  }
  take("uwsgi", 0)
  return { settings, used }
}

function cut(text: string): ReadonlyMap<string, readonly IniSetting[]> {
  const sections = new Map<string, IniSetting[]>()
  let section: IniSetting[] = []
  text.split(/\r?\n/).forEach((raw, index) => {
    const line = raw.trim()
    const head = /^\[([^\]]+)\]$/.exec(line)?.[1]
    if (head !== undefined) sections.set(head, (section = sections.get(head) ?? []))
    else if (line !== "" && !/^[;#]/.test(line)) {
      const at = line.indexOf("=")
      const name = (at < 0 ? line : line.slice(0, at)).trim()
      section.push({ name, value: at < 0 ? "true" : line.slice(at + 1).trim(), line: index + 1 })
    }
  })
  return sections
}

/** `used`: names that values were made of; a setting that is only that needs no counterpart. */
function replace(value: string, { own, used }: { own: Readonly<Record<string, string>>; used: Set<string> }): string {
  return value
    .replaceAll(/%\(([^)]+)\)/g, (all, name: string) => (used.add(name), own[name] ?? all))
    .replaceAll(/%([psdcne])(?![\w(])/g, (_, name: string) => own[name]!)
    .replaceAll(/\$\(([^)]+)\)/g, (_, name: string) => `\${${name}}`)
    .replaceAll("%%", "%")
}
