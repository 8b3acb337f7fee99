import type { AppSpec } from "edge"
import { definePlugin, placeholders, serverAddress } from "edge"
import * as v from "valibot"

/**
 * uWSGI takes its options from UWSGI_* too; those of the command and of its file go before. A process that hangs is ended by
 * it alone: a second after the client was told 504.
 */
function harakiri({ timeoutMs }: AppSpec): Record<string, string> {
  return timeoutMs === 0 ? {} : { UWSGI_HARAKIRI: String(Math.ceil(timeoutMs / 1000) + 1) }
}

/** Speaks the uwsgi protocol to a uWSGI that runs already (`to`), or that is started for it (`command`). */
export default definePlugin({
  name: "uwsgi",
  kind: "runtime",
  config: v.pipe(
    v.strictObject({
      to: v.pipe(v.optional(serverAddress()), v.description("unix:PATH or HOST:PORT of a uWSGI that runs already")),
      command: v.pipe(
        v.optional(v.tupleWithRest([v.pipe(v.string(), v.nonEmpty())], v.string())),
        v.description("A uWSGI that listens on $SOCKET or 127.0.0.1:$PORT"),
      ),
      modifier1: v.pipe(
        v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255)), 0),
        v.description("Which of uWSGI's plugins answers: 0 Python, 5 Perl, 7 Ruby, 14 PHP"),
      ),
    }),
    v.check(o => (o.to === undefined) !== (o.command === undefined), "one of `to` and `command` is needed"),
  ),
  setup: (config, ctx) => ({
    part: {
      concurrency: 100,
      launch: app => {
        const base = { cwd: app.dir, transport: "uwsgi", socket: "bind" } as const
        if (config.to !== undefined) return { ...base, argv: [], env: {}, address: config.to.startsWith("unix:") ? ctx.resolve(config.to.slice(5)) : config.to }
        const env = { PORT: "{port}", SOCKET: "{socket}", ...harakiri(app), ...placeholders(app.env) }
        return { ...base, argv: config.command!.map(argument => placeholders({ argument }).argument!), env }
      },
    },
  }),
})
