import * as v from "valibot"

export default { name: "bad", kind: "midleware", config: v.strictObject({}), setup: () => ({ part: (next: unknown) => next }) }
