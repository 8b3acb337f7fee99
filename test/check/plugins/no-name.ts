import * as v from "valibot"

export default { kind: "middleware", config: v.strictObject({}), setup: () => ({ part: (next: unknown) => next }) }
