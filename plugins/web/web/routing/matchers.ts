/** The matchers of a route other than its path, folded into one test. */
import type { Exchange, Handler } from "edge"
import { trustedPeers } from "edge"
import type { RouteConfig } from "../schema.ts"
import { HostTable } from "../sites/hosts.ts"

type Test = (x: Exchange) => boolean

export function toMatch(route: RouteConfig): Test | null {
  const tests: Test[] = []
  if (route.method !== undefined) tests.push(methodTest(listOf(route.method)))
  if (route.host !== undefined) tests.push(hostTest(listOf(route.host)))
  for (const [name, want] of Object.entries(route.header ?? {})) {
    const test = valueTest(want)
    tests.push(x => test(x.headers.get(name)))
  }
  for (const [name, want] of Object.entries(route.query ?? {})) {
    const test = valueTest(want)
    tests.push(x => test(x.query === "" ? null : new URLSearchParams(x.query).get(name)))
  }
  if (route.path_regexp !== undefined) {
    const pattern = new RegExp(route.path_regexp, "u")
    tests.push(x => pattern.test(x.path))
  }
  if (route.ip !== undefined) {
    const isOne = trustedPeers(listOf(route.ip))
    tests.push(x => isOne(x.ip))
  }
  if (tests.length === 0) return null
  return tests.length === 1 ? tests[0]! : x => tests.every(test => test(x))
}

/** `path_regexp` with named groups: what they caught are parameters of the route. */
export function withGroups(expression: string | undefined, handler: Handler): Handler {
  if (expression === undefined || !expression.includes("(?<")) return handler
  const pattern = new RegExp(expression, "u")
  return x => {
    x.params = { ...x.params, ...pattern.exec(x.path)?.groups }
    return handler(x)
  }
}

export function listOf(value: string | readonly string[]): readonly string[] {
  return typeof value === "string" ? [value] : value
}

/** GET answers HEAD too, as everywhere (RFC 9110 9.3.2). */
function methodTest(methods: readonly string[]): Test {
  const set = new Set(methods.map(method => method.toUpperCase()))
  if (set.has("GET")) set.add("HEAD")
  return x => set.has(x.method)
}

function hostTest(hosts: readonly string[]): Test {
  const table = new HostTable<true>()
  for (const host of hosts) table.set(host, true)
  return x => table.get(x.host) === true
}

function valueTest(want: string | boolean): (value: string | null) => boolean {
  if (typeof want === "boolean") return value => (value !== null) === want
  const start = want.startsWith("*")
  const end = want.length > 1 && want.endsWith("*")
  const text = want.slice(start ? 1 : 0, end ? -1 : undefined)
  if (start && end) return value => value?.includes(text) === true
  if (start) return value => value?.endsWith(text) === true
  if (end) return value => value?.startsWith(text) === true
  return value => value === text
}
