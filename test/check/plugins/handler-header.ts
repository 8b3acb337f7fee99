import { definePlugin } from "edge"
import * as v from "valibot"

/** A route's `header` is a condition: this handler could never be named. */
export default definePlugin({ name: "header", kind: "handler", config: v.strictObject({}), setup: () => ({ part: () => new Response("never") }) })
