import * as v from "valibot"
import {
  after,
  definePlugins,
} from "edge"

export default definePlugins({ name: "bad", kind: "middleware", config: v.strictObject({}), setup: () => ({ part: after }) })
