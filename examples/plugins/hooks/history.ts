/**
 * Keeps a history of the server: hooks write a line for everything that happens, a handler shows them.
 *
 *   [[site.route]]
 *   path = "/history"
 *   history = { last = 50 }
 *
 * Hooks run in a process of their own, so what they and the handler share is the file.
 */
import { appendFile, readFile } from "node:fs/promises"
import { join } from "node:path"
import { definePlugin, Reply } from "edge"
import * as v from "valibot"

const FILE = "history.log"

export default definePlugin({
  name: "history",
  kind: "handler",
  config: v.strictObject({
    last: v.pipe(v.optional(v.number(), 50), v.description("Lines shown")),
  }),
  hooks: {
    on_start: ({ dir }) => note(dir, "edge started"),
    pre_reload: ({ dir }) => note(dir, "a reload begins"),
    on_reload: ({ dir }) => note(dir, "a reload succeeded"),
    worker_ready: ({ app, index }, { dir }) => note(dir, `worker ${index} of ${app} is ready`),
    worker_exit: ({ app, index, code, signal }, { dir }) => note(dir, `worker ${index} of ${app} ended: ${signal ?? `exit code ${code}`}`),
    on_stop: ({ dir }) => note(dir, "edge stopped"),
  },
  setup: ({ last }, ctx) => ({
    part: async () => {
      const lines = (await readFile(ctx.resolve(FILE), "utf8")).trimEnd().split("\n")
      return Reply.text(200, `${lines.slice(-last).join("\n")}\n`)
    },
  }),
})

const note = (dir: string, text: string): Promise<void> => appendFile(join(dir, FILE), `${new Date().toISOString()} ${text}\n`)
