import type { Exchange } from "../message/exchange.ts"
import { Reply } from "../message/reply.ts"

export type Awaitable<T> = T | Promise<T>

/** "Not mine, try the next route." */
export const PASS: unique symbol = Symbol.for("edge.pass") as never

export type Answer = Reply | Response | typeof PASS

/** Answers a request. Sync in, sync out: return a Promise only if you must wait. */
export type Handler = (x: Exchange) => Awaitable<Answer>

/** Wraps the rest of the chain. Runs once per front, never per request. */
export type Middleware = (next: Handler) => Handler

/** A standard Response becomes a Reply at the border; set once by bridge.ts. */
let toReply: (response: Response) => Awaitable<Reply> = () => {
  throw new Error("the Response bridge is not loaded")
}
export function setResponseBridge(convert: (response: Response) => Awaitable<Reply>): void {
  toReply = convert
}

/** A Reply as it is; a Response made into one. */
export function asReply(answer: Reply | Response): Awaitable<Reply> {
  return answer instanceof Reply ? answer : toReply(answer)
}

export interface AfterOptions {
  change?(reply: Reply): Awaitable<Reply>
  error?(error: unknown): Awaitable<Reply>
}

/** Changes an answer, or turns an error into one, without making a sync chain async. PASS goes through untouched. */
export function after(answer: () => Awaitable<Answer>, on: AfterOptions): Awaitable<Answer> {
  let got: Awaitable<Answer>
  try {
    got = answer()
  } catch (error) {
    if (on.error === undefined) throw error
    return on.error(error)
  }
  if (got instanceof Promise) {
    const changed = got.then(value => changeOne(value, on))
    return on.error === undefined ? changed : changed.catch(on.error)
  }
  return changeOne(got, on)
}

function changeOne(answer: Answer, on: AfterOptions): Awaitable<Answer> {
  if (answer === PASS || on.change === undefined) return answer
  const reply = asReply(answer)
  return reply instanceof Promise ? reply.then(on.change) : on.change(reply)
}

/** Middleware from outside in, folded once around a handler. */
export function fold(handler: Handler, middleware: readonly Middleware[]): Handler {
  return middleware.reduceRight((next, wrap) => wrap(next), handler)
}
