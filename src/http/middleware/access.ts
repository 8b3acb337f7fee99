/**
 * Checks of who may have an answer, as those around them see it: the cache must not hand out what a check let through, nor a
 * mirror copy what it refused, whatever the order in the file.
 */
import type { Middleware } from "./chain.ts"
import type { Exchange } from "../message/exchange.ts"
import type { HeaderList } from "../message/headers.ts"

/** What became of one request at the checks on its way. Made by the first of them. */
export class Access {
  /** Checks that it came to. */
  met = 0
  /** Checks that let it through; fewer than `met` while one thinks, or when one refused. */
  passed = 0
  /** A check put somebody's name into the request: what answers knows who asks. */
  personal = false
  /** The request's fields before the check that it is at. */
  before: HeaderList | null = null
}

const checks = new WeakSet<Middleware>()
const caches = new WeakSet<Middleware>()

/** True for a middleware whose plugin says `role: "access"`, or "cache". */
export function hasRole(middleware: Middleware, role: "access" | "cache"): boolean {
  return (role === "access" ? checks : caches).has(middleware)
}

/** A middleware with the role that its plugin says it has. */
export function inRole(middleware: Middleware, role: "access" | "cache"): Middleware {
  if (role === "cache") {
    // One function may stand for several parts: a role belongs to the part.
    const cache: Middleware = next => middleware(next)
    caches.add(cache)
    return cache
  }
  const check: Middleware = next => {
    const admitted = (x: Exchange) => {
      const access = (x.access ??= new Access())
      access.passed++
      if (access.before !== x.headers) access.personal = true
      return next(x)
    }
    const inner = middleware(admitted)
    // It has nothing to check.
    if (inner === admitted) return next
    return x => {
      meet(x).before = x.headers
      return inner(x)
    }
  }
  checks.add(check)
  return check
}

/** Says that what is answered from here on is for this client alone: caches around keep it not. */
export function forThisClient(x: Exchange): void {
  meet(x).passed++
}

function meet(x: Exchange): Access {
  const access = (x.access ??= new Access())
  access.met++
  return access
}
