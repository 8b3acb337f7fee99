import { ByteStream, HttpError, UpstreamError, type Balancer, type Exchange, type Handler, type Logger, type Reply, type Upstream } from "edge"
import type { Health } from "../health/health.ts"
import { fixLocation } from "./location.ts"
import type { Server } from "../servers/endpoint.ts"

export interface ForwardRules {
  /** Further upstreams that one exchange may try. */
  readonly retries: number
  /** Answers that count as failures. */
  readonly failStatus: readonly number[]
  /** Redirects to the upstream itself become ours. */
  readonly fixLocation: boolean
}

/** Methods that change nothing (RFC 9110, 9.2.1): sent to a second upstream after the first may have acted on them. */
const safe = new Set(["GET", "HEAD", "OPTIONS", "TRACE"])

/** Faults after which a request that changes nothing may go elsewhere. */
const repeatable: ReadonlySet<string> = new Set(["closed", "status", "connect", "connect_timeout"])

/** The handler: picks an upstream, sends, and where that is safe tries another one. */
export function forward(health: Health, to: { balancer: Balancer; rules: ForwardRules; log: Logger }): Handler {
  const { balancer, rules, log } = to
  const failStatus = new Set(rules.failStatus)
  const plain = failStatus.size === 0 && balancer.answered === undefined

  function once(x: Exchange, from: readonly Upstream[]): Upstream {
    const upstream = from.length === 1 ? from[0] : balancer.pick(from, x)
    if (upstream !== undefined) return upstream
    const why = health.full ? "every upstream has as many requests as it may" : "no upstream is up"
    throw new HttpError(503, why, { headers: [["Retry-After", "5"]] })
  }

  /** Passes the answer on, or throws where it counts as a failure and another upstream may still be asked. */
  function judge(x: Exchange, { upstream, reply, tried }: { upstream: Upstream; reply: Reply; tried: readonly Upstream[] }): Reply {
    if (!failStatus.has(reply.status)) health.answered(upstream)
    else {
      if (tried.length <= rules.retries && safe.has(x.method) && x.body === null && health.open.some(one => !tried.includes(one))) {
        if (reply.body instanceof ByteStream) reply.body.cancel()
        throw new UpstreamError("status", `it answered ${reply.status}`, { upstream: upstream.id, unsent: false, bodyTaken: false })
      }
      health.failed(upstream)
    }
    balancer.answered?.(upstream, { x, reply })
    if (rules.fixLocation) fixLocation(reply, { x, upstream: upstream as Server })
    return reply
  }

  async function again(x: Exchange, first: { upstream: Upstream; error: unknown }): Promise<Reply> {
    const tried = [first.upstream]
    let { upstream, error } = first
    for (;;) {
      if (!(error instanceof UpstreamError)) throw error
      health.failed(upstream)
      const left = tried.length <= rules.retries && mayTryElsewhere(x, error) ? health.open.filter(one => !tried.includes(one)) : []
      // The last failure is logged where its 502 or 504 is made.
      if (left.length === 0) throw error
      log.warn("upstream failed, another one is tried", {
        upstream: upstream.id,
        fault: error.fault,
        reason: error.message,
        method: x.method,
        path: x.path,
      })
      upstream = once(x, left)
      tried.push(upstream)
      try {
        x.upstream = upstream.id
        const reply = (await upstream.send(x)) as Reply
        return judge(x, { upstream, reply, tried })
      } catch (next) {
        error = next
      }
    }
  }

  return function proxy(x) {
    const upstream = once(x, health.open)
    x.upstream = upstream.id
    if (!plain) return judged(x, upstream)
    return (upstream.send(x) as Promise<Reply>).then(
      reply => {
        health.answered(upstream)
        if (reply.status > 200 && rules.fixLocation) fixLocation(reply, { x, upstream: upstream as Server })
        return reply
      },
      (error: unknown) => again(x, { upstream, error }),
    )
  }

  async function judged(x: Exchange, upstream: Upstream): Promise<Reply> {
    try {
      return judge(x, { upstream, reply: (await upstream.send(x)) as Reply, tried: [upstream] })
    } catch (error) {
      return again(x, { upstream, error })
    }
  }
}

/**
 * Not after a time-out: a request that is slow by itself would go round and take every upstream down in turn.
 */
function mayTryElsewhere(x: Exchange, error: UpstreamError): boolean {
  if (error.bodyTaken) return false
  if (error.unsent) return true
  // No connection, and not unsent: a kept connection had died with the request on it, and there was no new one.
  return repeatable.has(error.fault) && safe.has(x.method)
}
