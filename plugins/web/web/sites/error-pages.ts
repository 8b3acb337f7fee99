/** The answers to errors of edge itself: what is thrown as HttpError, and where no route answers. */
import type { Answer, Awaitable, Context, Exchange, Handler } from "edge"
import { HttpError, PASS, Prepared, reasonOf, Reply } from "edge"

/** A page of the config, by "404" or "4xx". */
export type Pages = ReadonlyMap<string, { readonly body: Uint8Array; readonly type: string }>

const words: Readonly<Record<number, string>> = {
  400: "The request could not be understood.",
  401: "You need to sign in to see this.",
  403: "You may not see this.",
  404: "There is nothing at this address.",
  405: "This cannot be done here.",
  408: "The request took too long to arrive.",
  413: "What was sent is too large.",
  421: "This server does not serve that name.",
  429: "Too many requests. Please wait a moment.",
  500: "Something went wrong here.",
  502: "The service behind this page gave no valid answer.",
  503: "The service is busy or down. Please try again soon.",
  504: "The service behind this page took too long.",
}

export class ErrorPages {
  readonly #pages: Pages
  readonly #intercept: boolean
  readonly #ctx: Context
  /** Status and form ("404 html") -> the answer; as many as there are statuses. */
  readonly #prepared = new Map<string, Prepared>()

  constructor(pages: Pages, { intercept, ctx }: { intercept: boolean; ctx: Context }) {
    this.#pages = pages
    this.#intercept = intercept
    this.#ctx = ctx
  }

  /** The page of a status, in the form that the client would rather have. */
  page(x: Exchange, status: number): Reply {
    const html = x.headers.get("accept")?.includes("text/html") === true
    const key = html ? `${status} html` : `${status}`
    let prepared = this.#prepared.get(key)
    if (prepared === undefined) this.#prepared.set(key, (prepared = this.#prepare(status, html)))
    return prepared.reply()
  }

  /** `handler` with its HttpErrors turned into pages; PASS becomes 404 with `end`. */
  around(handler: Handler, { end }: { end: boolean }): Handler {
    const done = (x: Exchange, answer: Answer): Answer => {
      if (answer === PASS) return end ? this.page(x, 404) : PASS
      return this.#intercept && answer.status >= 400 ? this.#replace(x, answer) : answer
    }
    return (x): Awaitable<Answer> => {
      try {
        const answer = handler(x)
        if (answer instanceof Promise) {
          return answer.then(
            got => done(x, got),
            (error: unknown) => this.#failed(x, error),
          )
        }
        return done(x, answer)
      } catch (error) {
        return this.#failed(x, error)
      }
    }
  }

  #prepare(status: number, html: boolean): Prepared {
    const own = this.#own(status)
    if (own !== undefined) return new Prepared(status, ["Content-Type", own.type], own.body)
    const reason = reasonOf(status)
    if (!html) {
      return new Prepared(status, ["Content-Type", "text/plain; charset=utf-8", "Vary", "Accept"], `${status} ${reason}\n`)
    }
    return new Prepared(status, ["Content-Type", "text/html; charset=utf-8", "Vary", "Accept"], defaultPage(status, reason))
  }

  #own(status: number): { body: Uint8Array; type: string } | undefined {
    return this.#pages.get(String(status)) ?? this.#pages.get(`${Math.floor(status / 100)}xx`)
  }

  #replace(x: Exchange, answer: Reply | Response): Answer {
    if (this.#own(answer.status) === undefined) return answer
    const { body } = answer
    if (answer instanceof Response) void answer.body?.cancel()
    else discard(body as Reply["body"])
    return keep(this.page(x, answer.status), answer.headers)
  }

  #failed(x: Exchange, error: unknown): Reply {
    if (error instanceof HttpError) {
      // The engine has to close the connection after these, which is its own business.
      if (error.options.close === true) throw error
      const fields = { method: x.method, target: x.target, status: error.status, ...named(x) }
      if (error.status >= 500 && error.options.quiet !== true) this.#ctx.log.warn(error.message, fields)
      else this.#ctx.log.debug(error.message, fields)
      return keep(this.page(x, error.status), error.options.headers ?? [])
    }
    // What waited for the client or for an upstream was told that the client is gone: nobody is there to read the page.
    if (x.signal.aborted) {
      this.#ctx.log.debug("the client left before the answer", { method: x.method, target: x.target })
      return this.page(x, 500)
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#ctx.log.error("a handler failed", { method: x.method, target: x.target, ...named(x), error: stack })
    if (!this.#ctx.dev) return this.page(x, 500)
    return Reply.text(500, `${stack}\n`)
  }
}

/** The name that the request was given, so that its line is found. */
function named(x: Exchange): { id?: unknown } {
  const id = x.vars?.get("request_id")
  return id === undefined ? {} : { id }
}

/** Lines that tell of the body which the page replaces. */
const ofBody = /^(?:content-(?!range|security)|etag$|last-modified$|accept-ranges$|transfer-encoding$|trailer$|vary$|(?:repr-)?digest$|signature(?:-input)?$)/i

/** The page with those lines of the error that are not about its body. */
function keep(page: Reply, headers: Iterable<readonly [string, string]>): Reply {
  for (const [name, value] of headers) {
    if (!ofBody.test(name)) page.headers.append(name, value)
  }
  return page
}

function discard(body: Reply["body"]): void {
  if (body === null || typeof body === "string" || body instanceof Uint8Array) return
  if ("fd" in body) body.close()
  else body.cancel()
}

function defaultPage(status: number, reason: string): string {
  const text = words[status] ?? (status < 500 ? "The request cannot be answered as it is." : words[500]!)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${status} ${reason}</title>
<style>
body { margin: 0; min-height: 100vh; display: grid; place-content: center; font: 1rem/1.5 system-ui, sans-serif }
main { padding: 2rem; max-width: 32rem }
h1 { margin: 0; font-size: 1.25rem; font-weight: 600 }
p { margin: .25rem 0 0; opacity: .75 }
</style>
<main><h1>${status} ${reason}</h1><p>${text}</p></main>
</html>
`
}
