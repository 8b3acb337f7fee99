import { definePlugin, HttpError, size } from "edge"
import * as v from "valibot"

/** Largest request body of a route or site; may be more or less than the server's own limit. */
export default definePlugin({
  name: "body_limit",
  kind: "middleware",
  config: v.pipe(size(), v.description("Largest request body; more is answered 413")),
  setup: limit => ({
    part: next => x => {
      // Refused at its head where the client says how long it is; else the engine cuts it where it gets too long.
      if (x.body !== null && x.body.length > limit) throw new HttpError(413, `the body is longer than ${limit} bytes`)
      x.bodyLimit = limit
      return next(x)
    },
  }),
})
