import { randomUUID } from "node:crypto"
import { after, definePlugin, HeaderList, type Exchange, type Handler, type Middleware, type Reply } from "edge"
import * as v from "valibot"

/** RFC 9110 5.6.2: a name is a token. */
const name = v.pipe(v.string(), v.regex(/^[!#$%&'*+.^`|~0-9A-Za-z-]+$/, "must be a header name"))

/** What may come from outside: it is written to logs and headers as it is. */
const sound = /^[\w.:/+=@-]{1,200}$/

/**
 * Gives each request a name that log lines of edge, of apps and of upstreams share, and that the client can quote. One
 * that a trusted proxy gave is kept; anybody else could make log lines look like those of another request.
 */
export default definePlugin({
  name: "request_id",
  kind: "middleware",
  config: v.strictObject({
    header: v.pipe(v.optional(name, "X-Request-Id"), v.description("The field, in requests to handlers and in answers.")),
    accept: v.pipe(
      v.optional(v.picklist(["trusted", "always", "never"]), "trusted"),
      v.description('Whose own value is kept: that of trusted_proxies, everybody\'s ("always"), or nobody\'s ("never").'),
    ),
    answer: v.pipe(v.optional(v.boolean(), true), v.description("Tell the client.")),
  }),
  setup: ({ header, accept, answer }): { part: Middleware } => {
    const idOf = (x: Exchange): string => {
      if (accept === "always" || (accept === "trusted" && x.conn.trusted)) {
        const given = x.headers.get(header)
        if (given !== null && sound.test(given)) return given
      }
      return randomUUID()
    }
    return {
      part: (next: Handler): Handler =>
        function requestId(x) {
          const id = idOf(x)
          ;(x.vars ??= new Map()).set("request_id", id)
          const headers = HeaderList.from(x.headers)
          headers.deleteAlike(header)
          headers.append(header, id)
          const inner = x.with({ headers })
          if (!answer) return next(inner)
          const tell = (reply: Reply): Reply => {
            reply.headers.set(header, id)
            return reply
          }
          return after(() => next(inner), { change: tell })
        },
    }
  },
})
