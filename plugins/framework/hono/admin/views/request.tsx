import type { Child } from "hono/jsx"
import { html } from "hono/html"
import { RequestContext } from "hono/jsx-renderer"
import { HTTPException } from "hono/http-exception"
import type { Ctx } from "../../app/env.ts"
import { NotFound } from "../../db/errors.ts"
import { Access } from "../model/access.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import type { AdminSite } from "../site.ts"
import type { AnyRow, Staff } from "../model/staff.ts"
import { toId } from "../data/filters.ts"
import { Shell } from "./pages/shell.tsx"
import { menuOf } from "./menu.ts"

/** One step of the way to a page; the last has no link. */
export interface Crumb {
  readonly label: string
  readonly href?: string
}

export interface PageFacts {
  readonly title: string
  readonly crumbs: readonly Crumb[]
  /** Name of the model or page that the menu marks. */
  readonly at?: string
  readonly status?: number
  /** Buttons at the right of the title. */
  readonly tools?: Child
  /** Beneath the title. */
  readonly subtitle?: Child
}

/** One request to the admin: who, where, and how to answer. */
export class AdminRequest {
  readonly user: Staff
  readonly access: Access

  constructor(
    readonly c: Ctx,
    readonly site: AdminSite,
  ) {
    this.user = c.var.user!
    this.access = new Access(this.user, site)
    c.set("manyQueries" as never, true as never)
  }

  get zone(): string {
    return this.site.zone
  }

  /** The model that the path names; 404 when there is none, or none for this person. `inner`: or one without pages of its own (an inline's). */
  async modelAdmin(options: { inner?: boolean } = {}): Promise<ModelAdmin> {
    const name = this.c.req.param("model") ?? ""
    const modelAdmin = (options.inner === true ? this.site.inner(name) : undefined) ?? this.site.modelAdmins.get(name)
    if (modelAdmin === undefined || !((await this.access.may(modelAdmin, "view")) || (await this.access.may(modelAdmin, "add")))) throw new NotFound("no such model")
    return modelAdmin
  }

  /** The row that the path names. What may not be seen answers as what is not there. */
  async row(modelAdmin: ModelAdmin): Promise<AnyRow> {
    const id = toId(this.c.req.param("id"))
    const row = id === undefined ? null : await this.access.find(modelAdmin.model, id)
    if (row === null) throw new NotFound(`no ${modelAdmin.name}`)
    return row
  }

  forbid(why = "You may not do this."): never {
    throw new HTTPException(403, { message: why })
  }

  async page(facts: PageFacts, content: Child | Promise<Child>): Promise<Response> {
    const { c } = this
    const [menu, messages, inner] = [await menuOf(this), await c.var.messages.take(), await content]
    c.header("Content-Security-Policy", policy(c.var.nonce))
    // Names, addresses: nothing for a cache, nor for the back button after a logout.
    c.header("Cache-Control", "private, no-store")
    const tree = (
      <RequestContext.Provider value={c}>
        <Shell request={this} facts={facts} menu={menu} messages={messages}>
          {inner}
        </Shell>
      </RequestContext.Provider>
    )
    return c.html(html`<!DOCTYPE html>${tree}`, (facts.status ?? 200) as 200)
  }
}

/** Nothing but the admin's own: an uploaded file, or markup that slipped through, cannot run or send anything. */
function policy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    "style-src 'self'",
    "img-src 'self' data: blob: https:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ")
}
