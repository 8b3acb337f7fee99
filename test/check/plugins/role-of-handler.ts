import { definePlugin, PASS } from "edge"
import * as v from "valibot"

export default definePlugin({ name: "odd", kind: "handler", role: "access", config: v.strictObject({}), setup: () => ({ part: () => PASS }) })
