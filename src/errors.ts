/**
 * Every error that edge says to the one who runs it: its code and its words, in one place. A problem with a place is
 * printed as `site.toml:14:3: site[0].use[1]: no middleware named "heders"; did you mean "headers"?`.
 */
import { relative } from "node:path"
import { didYouMean, list, quote } from "./config/suggest.ts"

/** Where something stands in a file; line and column count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** A code and its words; made only by `errors` below. */
export interface Said {
  readonly code: string
  readonly message: string
}

export interface Problem extends Said {
  readonly place?: Place
  /** Path in the config, as `site[0].use[1]`. */
  readonly at?: string
}

export const errors = {
  noFile: (file: string, why: string): Said => ({ code: "config/no-file", message: `cannot read ${file}: ${why}` }),
  syntax: (why: string): Said => ({ code: "config/syntax", message: why }),
  includeNothing: (glob: string): Said => ({
    code: "config/include",
    message: `include ${quote(glob)} names a file that does not exist`,
  }),
  includeNested: (): Said => ({
    code: "config/include",
    message: "an included file cannot include others; list them all in the main file",
  }),
  includeType: (found: string): Said => ({
    code: "config/include",
    message: `include takes a list of files or globs, such as ["sites/*.toml"]; found ${found}`,
  }),
  conflict: (other: string): Said => ({ code: "config/conflict", message: `already set at ${other}` }),
  value: (why: string): Said => ({ code: "config/value", message: why }),
  unset: (name: string): Said => ({
    code: "config/unset-variable",
    message: `the environment variable ${name} is not set; set it, or give a default as \${${name}:-value}`,
  }),
  badVariable: (text: string): Said => ({
    code: "config/bad-variable",
    message: `${quote(text)} is no variable; write \${NAME} or \${NAME:-default}, or $\${ for a literal \${`,
  }),
  unknownKey: (key: string, allowed: readonly string[]): Said => ({
    code: "config/unknown-key",
    message: `unknown key ${quote(key)}${didYouMean(key, allowed, { list: "allowed" })}`,
  }),
  keyOfOther: (key: string, owners: readonly string[]): Said => ({
    code: "config/unknown-key",
    message: `unknown key ${quote(key)}; it goes with the ${list(owners)}`,
  }),
  listForTable: (path: string): Said => ({
    code: "config/value",
    message: `expected a table, found a list${path.includes("[") ? "" : `; it is written [${path}]`}`,
  }),
  missing: (key: string, expected: string): Said => ({
    code: "config/missing-key",
    message: `${quote(key)} is missing; expected ${expected}`,
  }),
  noPlugin: (kind: string, name: string, known: readonly string[]): Said => ({
    code: "plugin/unknown",
    message: `no ${kind === "web" ? "web layer" : kind} named ${quote(name)}${didYouMean(name, known, { list: "known" })}`,
  }),
  badPart: (kind: string, found: string): Said => ({
    code: "plugin/bad-part",
    message: `a ${kind} is a name or a table with one key, { name = options }; found ${found}`,
  }),
  noApp: (name: string, known: readonly string[]): Said => ({
    code: "app/unknown",
    message: `no app named ${quote(name)}${didYouMean(name, known, { list: "an app is a table [app.NAME]; known" })}`,
  }),
  appBoot: (why: string): Said => ({ code: "app/boot", message: why }),
  missingOnDisk: (why: string): Said => ({ code: "check/missing", message: why }),
  notInline: (runtime: string): Said => ({
    code: "app/not-inline",
    message: `this gateway runs the app inside the fronts, which the runtime ${quote(runtime)} cannot`,
  }),
  pluginFile: (source: string, why: string): Said => ({
    code: "plugin/not-found",
    message: `cannot find the plugin ${quote(source)}: ${why}`,
  }),
  pluginImport: (label: string, why: string): Said => ({
    code: "plugin/import",
    message: `the plugin ${quote(label)} cannot be loaded: ${why}`,
  }),
  pluginShape: (label: string, file: string, why: string): Said => ({
    code: "plugin/shape",
    message: `the plugin ${quote(label)} (${file}) is not usable: ${why}`,
  }),
  pluginTwice: (kind: string, name: string, other: string): Said => ({
    code: "plugin/twice",
    message: `there is a ${kind} named ${quote(name)} already, from ${other}`,
  }),
  moduleTwice: (name: string, other: string): Said => ({
    code: "plugin/module-twice",
    message: `the module ${quote(name)} is served already, by ${other}`,
  }),
  noPart: (what: string): Said => ({ code: "plugin/shape", message: `the setup of ${what} must return { part }` }),
  setupFailed: (what: string, why: string): Said => ({ code: "plugin/setup", message: `${what} cannot be set up: ${why}` }),
  setupSlow: (what: string, seconds: number): Said => ({
    code: "plugin/slow-setup",
    message: `${what} was not set up within ${seconds} s; setup must not wait for sockets or processes`,
  }),
  startFailed: (what: string, why: string): Said => ({ code: "plugin/start", message: `${what} cannot start: ${why}` }),
  badState: (stores: readonly string[]): Said => ({
    code: "config/state",
    message: `state is "sqlite:FILE", "redis://HOST", "postgres://HOST/DATABASE", or { store = options }; known stores: ${list(stores)}`,
  }),
  stateGone: (why: string): Said => ({ code: "state/gone", message: why }),
  part: (why: string): Said => ({ code: "plugin/config", message: why }),
  noCommand: (name: string, known: readonly string[]): Said => ({
    code: "usage/no-command",
    message: `there is no command ${quote(name)}${didYouMean(name, known, { list: "commands" })}`,
  }),
  cannotServe: (what: string): Said => ({
    code: "usage/cannot-serve",
    message: `${quote(what)} is neither a folder nor a .ts, .tsx or .js file`,
  }),
  nothingToServe: (what: string): Said => ({
    code: "usage/nothing-to-serve",
    message: `there is no ${quote(what)} here; give a folder, an app.ts, or module:callable of Python`,
  }),
  badName: (name: string): Said => ({
    code: "usage/bad-name",
    message: `${quote(name)} cannot be a name; use letters, digits, - and _, and start with a letter`,
  }),
  noKind: (kind: string, known: readonly string[]): Said => ({
    code: "usage/no-kind",
    message: `there is no template for ${quote(kind)}${didYouMean(kind, known, { list: "kinds" })}`,
  }),
  noKey: (key: string, near: string): Said => ({ code: "usage/no-key", message: `no key of site.toml, and no command, is called ${quote(key)}${near}` }),
  takenName: (kind: string, name: string): Said => ({
    code: "usage/taken-name",
    message: `edge has a ${kind} ${quote(name)} of its own; choose another name`,
  }),
  noTests: (): Said => ({ code: "usage/no-tests", message: "there is no *.test.ts here or below" }),
  testDatabase: (app: string): Said => ({
    code: "test/database",
    message: `app "${app}" has its data in PostgreSQL: a test of the whole site needs an empty database of its own, start("site.toml", { env: { DATABASE_URL: "postgres://..." } })`,
  }),
  usage: (why: string): Said => ({ code: "usage", message: why }),
  exists: (path: string): Said => ({ code: "usage/exists", message: `${path} exists already; choose another name` }),
} as const

/** An error whose message is meant for people: printed without a stack. */
export class EdgeError extends Error {
  override readonly name: string = "EdgeError"
  readonly code: string
  constructor(said: Said, options: { cause?: unknown } = {}) {
    super(said.message, options)
    this.code = said.code
  }
}

/** All that is wrong with a config, in the order of the file. */
export class ConfigError extends EdgeError {
  override readonly name = "ConfigError"
  constructor(
    readonly problems: readonly Problem[],
    options: { cause?: unknown } = {},
  ) {
    const inOrder = sortProblems(distinct(problems))
    super({ code: inOrder[0]?.code ?? "config", message: inOrder.map(formatProblem).join("\n") }, options)
    this.problems = inOrder
  }
}

export function formatProblem(problem: Problem): string {
  const parts = []
  if (problem.place !== undefined) parts.push(formatPlace(problem.place))
  if (problem.at !== undefined && problem.at !== "") parts.push(problem.at)
  parts.push(problem.message)
  return parts.join(": ")
}

export function formatPlace(place: Place): string {
  return `${showFile(place.file)}:${place.line}:${place.column}`
}

/** As the reader would type it: from the current folder, unless that is longer. */
export function showFile(file: string): string {
  // From "/" every path would only lose its slash, and be looked for elsewhere by who reads the log.
  if (process.cwd() === "/") return file
  const near = relative(process.cwd(), file)
  return near === "" || near.length > file.length ? file : near
}

/** The words of anything thrown. */
export function reason(error: unknown): string {
  if (error instanceof Error) return error.message === "" ? error.name : error.message
  return String(error)
}

/** Two apps may run into the same line of [layers]. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map(problem => [formatProblem(problem), problem])).values()]
}

function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const files = [...new Set(problems.map(p => p.place?.file ?? ""))]
  const rank = (p: Problem): number => files.indexOf(p.place?.file ?? "")
  return problems.toSorted(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
      (a.place?.column ?? 0) - (b.place?.column ?? 0),
  )
}

export { list, quote }
