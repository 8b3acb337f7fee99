import { definePlugin, type Handler } from "edge"
import * as v from "valibot"

const stamp = definePlugin({
  name: "stamp",
  kind: "middleware",
  config: v.strictObject({ with: v.optional(v.string(), "now") }),
  setup: () => ({ part: next => next }),
})

export const plain = definePlugin({
  name: "plain",
  kind: "middleware",
  config: v.strictObject({}),
  setup: () => ({ part: next => next }),
})

export const echo = definePlugin({
  name: "echo",
  kind: "handler",
  config: v.strictObject({ times: v.number(), upper: v.optional(v.boolean(), false) }),
  setup({ times, upper }) {
    const part: Handler = x => new Response((upper ? x.path.toUpperCase() : x.path).repeat(times))
    return { part }
  },
})

export default [stamp, plain, echo]
