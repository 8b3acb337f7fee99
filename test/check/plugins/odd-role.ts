import { definePlugin } from "edge"
import * as v from "valibot"

export default definePlugin({ name: "odd", kind: "middleware", role: "acess" as never, config: v.strictObject({}), setup: () => ({ part: next => next }) })
