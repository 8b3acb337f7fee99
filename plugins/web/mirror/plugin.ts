import { type Answer, type Awaitable, count, definePlugin, duration, type Exchange, HttpError, HttpUpstream, parseTarget, size, type Context, type Handler } from "edge"
import * as v from "valibot"
import { CopiedBody } from "./copied-body.ts"
import { Copies } from "./copies.ts"

const options = v.strictObject({
  to: v.pipe(v.string(), v.description('Where copies go: "http://HOST:PORT", "https://HOST:PORT" or "unix:PATH".')),
  percent: v.pipe(v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100)), 100), v.description("How many of a hundred requests are copied.")),
  body: v.pipe(v.optional(size(), "64kb"), v.description("Largest body that is copied; requests with a larger one are left out.")),
  most: v.pipe(v.optional(count(), 100), v.description("Copies under way at once, in each front; what is over is left out.")),
  timeout: v.pipe(v.optional(duration({ min: "1ms" }), "10s"), v.description("How long an answer to a copy may take.")),
  host: v.pipe(v.optional(v.string(), "client"), v.description('Host field: "client" as it came, "upstream" the host of the URL, or a fixed name.')),
})

/** Sends a copy of each request to a shadow. The real request is first, waits for nothing, and hears nothing of it. */
export default definePlugin({
  name: "mirror",
  kind: "middleware",
  config: v.pipe(v.union([v.string(), options]), v.description("Where copies go, or a table.")),
  setup: (config, ctx) => {
    const checked = typeof config === "string" ? v.parse(options, { to: config }) : config
    const { percent, body: limit } = checked
    const copies = new Copies(toUpstream(checked, ctx), { most: checked.most, log: ctx.log.with({ at: ctx.at }) })
    if (percent === 0) return { part: next => next }
    return {
      part: (next: Handler): Handler =>
        function mirror(x) {
          if (percent < 100 && Math.random() * 100 >= percent) return next(x)
          const { body } = x
          if (body === null) return bodiless(x, { next, copies })
          if (body.length > limit) return next(x)
          return next(x.with({ body: new CopiedBody(body, { limit, onWhole: bytes => copies.send(x, bytes) }) }))
        },
      stop: () => copies.close(),
    }
  },
})

/**
 * Copied when the answer is there: what an access check or a limit behind us refuses is not to reach the shadow, which may
 * trust that nobody comes who was not let in. A body is copied as it is read, which nobody does before the checks.
 */
function bodiless(x: Exchange, { next, copies }: { next: Handler; copies: Copies }): Awaitable<Answer> {
  const answer = next(x)
  if (!(answer instanceof Promise)) {
    if (isAdmitted(x)) copies.send(x, null)
    return answer
  }
  return answer.then(
    got => {
      if (isAdmitted(x)) copies.send(x, null)
      return got
    },
    (error: unknown) => {
      if (isAdmitted(x) && !(error instanceof HttpError && error.options.quiet === true)) copies.send(x, null)
      throw error
    },
  )
}

function isAdmitted({ access }: Exchange): boolean {
  return access === undefined || access.passed === access.met
}

function toUpstream({ to, timeout, host }: v.InferOutput<typeof options>, ctx: Context): HttpUpstream {
  try {
    const target = parseTarget(to, path => ctx.resolve(path))
    return new HttpUpstream({ target, head: { host }, limits: { connectMs: timeout, headMs: timeout, readMs: timeout } })
  } catch (error) {
    throw ctx.fail((error as Error).message, ["to"])
  }
}
