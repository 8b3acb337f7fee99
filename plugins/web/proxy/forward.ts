import { HttpError, UpstreamError, type Balancer, type Exchange, type Handler, type Logger, type Reply, type Upstream } from "edge"
import type { Health } from "./health.ts"

export interface ForwardRules {
  /** Further upstreams that one exchange may try. */
  readonly retries: number
}

/** Methods that change nothing (RFC 9110, 9.2.1): sent to a second upstream after the first may have acted on them. */
const safe = new Set(["GET", "HEAD", "OPTIONS", "TRACE"])

/** The handler: picks an upstream, sends, and where that is safe tries another one. */
export function forward(health: Health, to: { balancer: Balancer; rules: ForwardRules; log: Logger }): Handler {
  const { balancer, rules, log } = to

  function once(x: Exchange, from: readonly Upstream[]): Upstream {
    const upstream = from.length === 1 ? from[0] : balancer.pick(from, x)
    if (upstream !== undefined) return upstream
    throw new HttpError(503, "no upstream is up", { headers: [["Retry-After", "5"]] })
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
        const reply = (await upstream.send(x)) as Reply
        health.answered(upstream)
        return reply
      } catch (next) {
        error = next
      }
    }
  }

  return function proxy(x) {
    const upstream = once(x, health.open)
    return (upstream.send(x) as Promise<Reply>).then(
      reply => {
        health.answered(upstream)
        return reply
      },
      (error: unknown) => again(x, { upstream, error }),
    )
  }
}

/**
 * Not after a time-out: a request that is slow by itself would go round and take every upstream down in turn.
 */
function mayTryElsewhere(x: Exchange, error: UpstreamError): boolean {
  if (error.bodyTaken) return false
  if (error.unsent) return true
  return error.fault === "closed" && safe.has(x.method)
}
