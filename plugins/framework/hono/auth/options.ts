import { checkOptions, type Shape } from "edge"
import type { UsersOptions } from "./auth.ts"
import { builtInMails } from "./mails.tsx"
import { builtInPages } from "./pages/pages.ts"
import type { Limits } from "./throttle.ts"

const USERS: Shape<UsersOptions> = {
  at: "text", signup: "boolean", home: "text", passwordRules: "list", hashing: "object", limits: "object", secondFactor: "text",
  permissions: "object", onEvent: "function", pages: "object", mails: "object", layout: "text",
}
const EACH_LIMIT = { account: "object", address: "object" } as const

/** Throws before a limit that nobody knows leaves the standard one in force. */
export function checkUsersOptions(options: UsersOptions): void {
  checkOptions("users()", options, USERS)
  checkOptions("users(): hashing", options.hashing, { memoryCost: "number", timeCost: "number" })
  checkOptions("users(): limits", options.limits, { login: "object", code: "object", mail: "object", password: "object" } satisfies Shape<Limits>)
  for (const [act, limit] of Object.entries(options.limits ?? {})) {
    checkOptions(`users(): limits.${act}`, limit, EACH_LIMIT)
    for (const by of ["account", "address"] as const) checkOptions(`users(): limits.${act}.${by}`, limit[by] ?? null, { attempts: "number", perMs: "number" })
  }
  checkOptions("users(): pages", options.pages, functions(builtInPages))
  checkOptions("users(): mails", options.mails, functions(builtInMails))
}

function functions(names: object): Readonly<Record<string, "function">> {
  return Object.fromEntries(Object.keys(names).map(name => [name, "function"]))
}
