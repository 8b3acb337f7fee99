import { duration } from "edge"
import * as v from "valibot"

const name = "[A-Za-z0-9-]+"
const headerName = v.pipe(v.string(), v.regex(new RegExp(`^${name}$`), "must be a header name"))
const copied = v.pipe(v.string(), v.regex(new RegExp(`^${name}(?:>${name})?$`), 'must be a header name, or "FROM>TO"'))

export const forwardAuthSchema = v.strictObject({
  to: v.pipe(v.string(), v.description('Who is asked: "http://HOST:PORT/PATH", "https://...", "unix:PATH:/PATH"; 2xx lets the request in')),
  copy: v.pipe(
    v.optional(v.array(copied), []),
    v.description('Headers of its answer that the handler gets, as "Remote-User" or "FROM>TO"; what the client sent by these names is dropped'),
  ),
  answer: v.pipe(v.optional(v.array(headerName), []), v.description("Headers of its answer that the client gets too when it is let in, as Set-Cookie")),
  send: v.pipe(v.optional(v.array(headerName)), v.description("Headers of the request that it gets, beside the forwarding ones; without it: all")),
  user: v.pipe(v.optional(headerName), v.description("Header of its answer that names the user, for limits behind it")),
  timeout: v.pipe(v.optional(duration({ min: "10ms" }), "10s"), v.description("Until the head of its answer")),
  connect_timeout: v.pipe(v.optional(duration({ min: "1ms" }), "5s"), v.description("Until the connection is made")),
})
