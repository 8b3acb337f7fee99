import { definePlugin, placeholders } from "edge"
import * as v from "valibot"

/**
 * Runs any program that speaks HTTP. It finds both $PORT (on 127.0.0.1) and $SOCKET (path of a unix socket) in its
 * environment and listens on one of them; requests go to the one that answers first.
 */
export default definePlugin({
  name: "http",
  kind: "runtime",
  config: v.strictObject({
    command: v.pipe(
      v.tupleWithRest([v.pipe(v.string(), v.nonEmpty())], v.string()),
      v.description("the program and its arguments; $PORT and $SOCKET are replaced in them and stand in its environment"),
    ),
  }),
  setup: config => ({
    part: {
      concurrency: 100,
      launch: app => ({
        argv: config.command.map(argument => placeholders({ argument }).argument!),
        cwd: app.dir,
        env: {
          PORT: "{port}",
          SOCKET: "{socket}",
          // Many listen on every interface of the machine when nothing is said.
          HOST: "127.0.0.1",
          ...placeholders(app.env),
        },
        transport: "http",
        socket: "bind",
      }),
    },
  }),
})
