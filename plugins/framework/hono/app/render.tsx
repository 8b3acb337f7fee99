import type { Child, FC } from "hono/jsx"
import { html, raw } from "hono/html"
import { RequestContext } from "hono/jsx-renderer"
import type { Ctx } from "./env.ts"

/** What `c.render(<Page/>, props)` hands to the layout beside `children`. */
export interface PageProps {
  readonly title?: string
  readonly description?: string
  readonly [key: string]: unknown
}
export type Layout = FC<PageProps & { children?: Child }>

declare module "hono" {
  interface ContextRenderer {
    (content: Child | Promise<Child>, props?: PageProps): Response | Promise<Response>
  }
}

/**
 * `c.render`: the page within the layout; for a request of htmx the page alone, as it goes into a page that is there.
 * A page that is boosted or brought back from history is a whole one.
 */
export function rendererFor(c: Ctx, layout: Layout | undefined): (content: Child | Promise<Child>, props?: PageProps) => Response | Promise<Response> {
  return async (content, props = {}) => {
    const page = await content
    const fragment = isFragment(c)
    if (layout !== undefined) c.header("Vary", "HX-Request", { append: true })
    const Page = layout
    const tree = Page === undefined || fragment ? <>{page}</> : <Page {...props}>{page}</Page>
    const made = await html`${raw(fragment ? "" : "<!DOCTYPE html>")}${(<RequestContext.Provider value={c}>{tree}</RequestContext.Provider>)}`
    // A String object would be sent as a stream of unknown length; helpers that add to it later (hono/css) need it.
    return c.html((made as { callbacks?: unknown[] }).callbacks === undefined ? String(made) : made)
  }
}

function isFragment(c: Ctx): boolean {
  const { headers } = c.req.raw
  return headers.get("hx-request") === "true" && headers.get("hx-boosted") === null && headers.get("hx-history-restore-request") === null
}
