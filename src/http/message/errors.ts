/** An error that has an HTTP answer: thrown by a handler or a body, turned into a Reply where the chain ends. */
export class HttpError extends Error {
  override readonly name = "HttpError"
  constructor(
    readonly status: number,
    message: string,
    readonly options: {
      cause?: unknown
      headers?: readonly (readonly [string, string])[]
      close?: boolean
      /** Thrown on purpose under load: not a line in the log each time; who throws it says so now and then. */
      quiet?: boolean
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
  }
}
