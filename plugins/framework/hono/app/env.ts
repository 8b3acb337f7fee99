import type { RequestFacts } from "edge"
import type { Context } from "hono"
import type { AnyApp } from "./app.ts"
import type { Csrf } from "./csrf.ts"
import type { Messages } from "./messages.ts"
import type { Session } from "./session.ts"

/** What `c.var` has in every handler. A part adds its own: `declare module "edge/app" { interface AppVars { user: User | null } }`. */
export interface AppVars {
  readonly app: AnyApp
  readonly session: Session
  readonly messages: Messages
  readonly csrf: Csrf
  /** For `<script nonce={c.var.nonce}>`: scripts without it do not run. */
  readonly nonce: string
}

export interface AppEnv {
  Bindings: RequestFacts
  Variables: AppVars
}

/** The context of a handler, for functions that are written apart from their route. */
export type Ctx = Context<AppEnv>
