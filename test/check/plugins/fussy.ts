import { definePlugin } from "edge"
import * as v from "valibot"

export default definePlugin({
  name: "fussy",
  kind: "middleware",
  config: v.strictObject({ mood: v.picklist(["good", "bad"]), friends: v.optional(v.array(v.string()), []) }),
  setup({ mood, friends }, ctx) {
    if (mood === "bad") throw new Error("I am in a bad mood")
    if (friends.includes("bob")) throw ctx.fail('"bob" is no friend of mine', ["friends", friends.indexOf("bob")])
    return { part: next => next }
  },
})
