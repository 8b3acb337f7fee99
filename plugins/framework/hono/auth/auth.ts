import type { AnyApp } from "../app/app.ts"
import { currentApp } from "../app/current.ts"
import { Accounts, hasTables } from "./accounts.ts"
import type { AuthEvent } from "./events.ts"
import { Hashing, type HashingCost } from "./hashing.ts"
import type { Mails } from "./mails.tsx"
import type { UserRow } from "./models.ts"
import type { Pages } from "./pages/pages.ts"
import type { PasswordRule } from "./password-rules.ts"
import { type ExtraPermissions, syncPermissions } from "./permissions.ts"
import { SecondFactors } from "./second-factor.ts"
import { SecretBox } from "./secret-box.ts"
import { type Limits, LIMITS, LONGEST_MS } from "./throttle.ts"

export interface UsersOptions {
  /** Put before every path of auth's pages: "/auth" makes "/auth/login". Default none. */
  readonly at?: string
  /** False: only staff makes accounts. */
  readonly signup?: boolean
  /** Where a login without `next` leads. Default "/". */
  readonly home?: string
  /** Instead of the standard ones (password-rules.ts): `[...standardRules, notLeaked]`. */
  readonly passwordRules?: readonly PasswordRule[]
  readonly hashing?: HashingCost
  /** Tries per account and per address; each act as a whole in place of the standard one (throttle.ts). */
  readonly limits?: Partial<Limits>
  /** "staff": the guards let staff in only with two-step login on. Default: everybody's own choice. */
  readonly secondFactor?: "staff"
  /** Permissions beside those of the models: `{ "newsletter.send": "Can send the newsletter" }`. */
  readonly permissions?: ExtraPermissions
  /** Hears of logins, refusals and changes; they are in the log too. */
  readonly onEvent?: (event: AuthEvent) => void
  /** Pages and mails of the app's own, each in place of the built-in one of that name. */
  readonly pages?: Partial<Pages>
  readonly mails?: Partial<Mails>
  /** "app": the pages stand in the app's own layout. Default: in a plain document of their own. */
  readonly layout?: "app"
}

/** Auth of one app: its options and what they make. */
export class Auth {
  readonly accounts: Accounts
  readonly limits: Limits
  readonly paths: Readonly<Record<"login" | "code" | "logout" | "signup" | "verify" | "forgot" | "reset" | "account" | "email", string>>
  #secondFactors: SecondFactors | undefined
  #synced: Promise<unknown> | undefined

  constructor(
    readonly app: AnyApp,
    readonly options: UsersOptions,
  ) {
    this.accounts = new Accounts(new Hashing(options.hashing), options.passwordRules)
    this.limits = { ...LIMITS, ...options.limits }
    for (const [act, { account, address }] of Object.entries(this.limits)) {
      if (Math.max(account.perMs, address.perMs) > LONGEST_MS) throw new Error(`users(): limits.${act}: tries are counted over a day at most`)
    }
    const at = (options.at ?? "").replace(/\/$/, "")
    this.paths = {
      login: `${at}/login`,
      code: `${at}/login/code`,
      logout: `${at}/logout`,
      signup: `${at}/signup`,
      verify: `${at}/verify`,
      forgot: `${at}/password`,
      reset: `${at}/reset`,
      email: `${at}/email`,
      account: `${at}/account`,
    }
  }

  get home(): string {
    return this.options.home ?? "/"
  }

  get secondFactors(): SecondFactors {
    this.#secondFactors ??= new SecondFactors(new SecretBox(this.app.signer.mac("auth second factor", ""), "second factor"), this.app.title)
    return this.#secondFactors
  }

  /** Makes the rows of permissions that are missing, once for each process that staff uses. */
  sync(): Promise<unknown> {
    if (this.#synced === undefined) {
      this.#synced = syncPermissions(this.app.models, this.options.permissions)
      this.#synced.catch(() => (this.#synced = undefined))
    }
    return this.#synced
  }

  async boot(): Promise<void> {
    this.#synced = undefined
    this.#secondFactors = undefined
    // A command is over before anybody logs in.
    if (this.app.booted.command === true) return
    void this.accounts.hashing.warm()
    if (await hasTables()) await this.sync()
  }
}

const auths = new WeakMap<AnyApp, Auth>()

export function useAuth(auth: Auth): void {
  auths.set(auth.app, auth)
}

/** Throws when the app was made without users(). */
export function authOf(app: AnyApp): Auth {
  const auth = auths.get(app)
  if (auth === undefined) throw new Error("this app has no users: new App({ parts: [users()] })")
  return auth
}

/** Auth of the app that is running: for commands, seeds and handlers. */
export function auth(): Auth {
  return authOf(currentApp())
}

/** Makes a user of the running app; throws ValidationError. */
export function createUser(values: Parameters<Accounts["create"]>[0]): Promise<UserRow> {
  return auth().accounts.create(values)
}

/** A new password for a user: all sessions of the user end. Throws ValidationError. */
export function setPassword(user: UserRow, password: string): Promise<void> {
  return auth().accounts.setPassword(user, password)
}
