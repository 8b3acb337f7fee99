import { HTTPException } from "hono/http-exception"
import { NotFound, ValidationError } from "../db/errors.ts"
import type { Ctx } from "./env.ts"
import { errorPage, plainPage } from "./error-page.tsx"
import { currentTrace } from "./trace.ts"

/** What a handler threw, as an answer. In production nothing of it is shown; it is in the log. */
export async function answerError(error: Error, c: Ctx): Promise<Response> {
  if (error instanceof HTTPException) {
    const { status } = error
    if (error.res !== undefined) return error.getResponse()
    return answer(c, status, error.message === "" ? titles[status] ?? "Error" : error.message)
  }
  if (error instanceof NotFound) return answer(c, 404, "There is nothing here.")
  if (error instanceof ValidationError) {
    if (wantsJson(c)) return c.json({ error: "invalid", issues: error.issues }, 422)
    return answer(c, 422, Object.entries(error.issues).map(([key, why]) => (key === "" ? why : `${key}: ${why}`)).join(" "))
  }
  const { app } = c.var
  app.booted.log.error("the app failed", { method: c.req.method, path: c.req.path, error })
  if (app.dev) return wantsJson(c) ? c.json({ error: error.message, stack: error.stack?.split("\n") }, 500) : c.html(errorPage(error, c, currentTrace()), 500)
  return answer(c, 500, "Something went wrong. It has been noted.")
}

export function answerNotFound(c: Ctx): Promise<Response> {
  return answer(c, 404, "There is nothing here.")
}

export function forbidden(c: Ctx, why: string): Promise<Response> {
  return answer(c, 403, `This was not done: ${why}. Go back, load the page again, and retry.`)
}

const titles: Readonly<Record<number, string>> = {
  401: "Please log in",
  403: "Not allowed",
  404: "Not found",
  405: "Not possible here",
  409: "Something else was changed meanwhile",
  422: "Something is not right",
  429: "Too many tries",
  500: "An error on our side",
  503: "Not ready",
}

/** A small page of its own: the app's layout may be what failed. */
async function answer(c: Ctx, status: number, text: string): Promise<Response> {
  const title = titles[status] ?? `Error ${status}`
  if (wantsJson(c)) return c.json({ error: title, detail: text }, status as 400)
  return c.html(plainPage({ title, text, status }), status as 400)
}

function wantsJson(c: Ctx): boolean {
  const accept = c.req.raw.headers.get("accept") ?? ""
  return accept.includes("application/json") && !accept.includes("text/html")
}
