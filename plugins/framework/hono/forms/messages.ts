import type { Context } from "hono"
import { german } from "./languages/de.ts"
import { type Catalogue, english, type MessageCode } from "./languages/en.ts"
import { spanish } from "./languages/es.ts"
import { french } from "./languages/fr.ts"
import { italian } from "./languages/it.ts"
import { dutch } from "./languages/nl.ts"
import { polish } from "./languages/pl.ts"
import { portuguese } from "./languages/pt.ts"
import { ukrainian } from "./languages/uk.ts"

export type { MessageCode } from "./languages/en.ts"

const catalogues = new Map<string, Partial<Catalogue>>([
  ["en", english],
  ["de", german],
  ["fr", french],
  ["es", spanish],
  ["it", italian],
  ["nl", dutch],
  ["pl", polish],
  ["pt", portuguese],
  ["uk", ukrainian],
])

/** Adds a language or changes words of one; what is not given stays English. */
export function addMessages(lang: string, messages: Partial<Catalogue>): void {
  const key = lang.toLowerCase()
  catalogues.set(key, { ...catalogues.get(key), ...messages })
}

export function hasMessages(lang: string): boolean {
  return catalogues.has(lang)
}

export function say(lang: string, code: MessageCode, values: Readonly<Record<string, string | number>> = {}): string {
  const key = lang.toLowerCase()
  const text = catalogues.get(key)?.[code] ?? catalogues.get(key.split("-", 1)[0]!)?.[code] ?? english[code]
  return text.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""))
}

/** The best of `known` for an Accept-Language (RFC 9110 section 12.5.4); undefined when none fits. */
export function pickLanguage(header: string, known: (lang: string) => boolean): string | undefined {
  const wanted = header
    .slice(0, 500)
    .toLowerCase()
    .split(",", 30)
    .map(part => {
      const [lang = "", ...parameters] = part.trim().split(/\s*;\s*/)
      const q = parameters.find(parameter => parameter.startsWith("q="))
      return { lang, q: q === undefined ? 1 : Number.parseFloat(q.slice(2)) || 0 }
    })
    .filter(({ lang, q }) => q > 0 && /^[a-z]{2,3}(?:-[a-z0-9]{2,8})*$/.test(lang))
    .toSorted((a, b) => b.q - a.q)
  for (const { lang } of wanted) {
    if (known(lang)) return lang
    const short = lang.split("-", 1)[0]!
    if (known(short)) return short
  }
  return undefined
}

/** The reader's language: `c.var.language` (hono/language, or the app's own choice), else what the browser asks for. */
export function languageOf(c: Context<any>): string {
  const chosen: unknown = c.get("language")
  if (typeof chosen === "string" && chosen !== "") return canonical(chosen) ?? "en"
  return pickLanguage(c.req.header("accept-language") ?? "", hasMessages) ?? "en"
}

/** "pt_BR" as "pt-BR"; undefined for what is no language: Intl throws at it. */
function canonical(lang: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(lang.replaceAll("_", "-"))[0]
  } catch {
    return undefined
  }
}

/** "2 MB", for people. */
export function sizeText(bytes: number, lang: string): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3))
  return new Intl.NumberFormat(lang, { style: "unit", unit: units[step], unitDisplay: step === 0 ? "long" : "short", maximumFractionDigits: 1 }).format(bytes / 1000 ** step)
}
