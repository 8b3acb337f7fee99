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
  /** Set by the app where it knows better than Accept-Language: "pl". */
  readonly language?: string
  /** Of this visitor, for moments in forms: "Europe/Warsaw"; default UTC. */
  readonly timeZone?: string
}

export interface AppEnv {
  Bindings: RequestFacts
  Variables: AppVars
}

/** The context of a handler, for functions that are written apart from their route. */
export type Ctx = Context<AppEnv>
