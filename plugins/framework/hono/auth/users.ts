import type { Next } from "hono"
import type { AnyApp } from "../app/app.ts"
import type { AppVars, Ctx } from "../app/env.ts"
import type { Part } from "../app/part.ts"
import { Auth, useAuth, type UsersOptions } from "./auth.ts"
import { changepassword, createsuperuser, unlock } from "./commands.ts"
import { deployChecks } from "./deploy-checks.ts"
import { mayBeLoggedIn, userOf } from "./logins.ts"
import { authModels, type UserRow } from "./models.ts"
import { checkUsersOptions } from "./options.ts"
import { accountRoutes } from "./routes/account.ts"
import { AuthContext } from "./routes/context.tsx"
import { loginRoutes } from "./routes/login.ts"
import { resetRoutes } from "./routes/reset.ts"
import { secondFactorRoutes } from "./routes/second-factor.ts"
import { signupRoutes } from "./routes/signup.ts"

declare module "../app/env.ts" {
  interface AppVars {
    /** Who is logged in, with users(). */
    readonly user: UserRow | null
  }
}

/**
 * A page that asks who is logged in, and hears "nobody", is not for who is: asking for the user asks for the session, and
 * so tells caches (Vary: Cookie).
 */
const NOBODY: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get(this: AppVars) {
    void this.session
    return null
  },
  set(this: AppVars, user: UserRow | null) {
    Object.defineProperty(this, "user", { value: user, writable: true, enumerable: true, configurable: true })
  },
}

/** Users, groups, permissions, and the pages to sign up, log in and look after an account. */
export function users(options: UsersOptions = {}): Part {
  checkUsersOptions(options)
  return {
    name: "users",
    models: authModels,
    setup(app: AnyApp) {
      const auth = new Auth(app, options)
      useAuth(auth)
      app.use(function attachUser(c, next) {
        if (mayBeLoggedIn(c)) return attach(c, next)
        Object.defineProperty(c.var, "user", NOBODY)
        return next()
      })
      const attach = async (c: Ctx, next: Next): Promise<void> => {
        const user = await userOf(c)
        c.set("user", user)
        if (user?.isStaff === true) await auth.sync()
        await next()
      }
      const context = new AuthContext(auth)
      loginRoutes(context)
      if (options.signup !== false) signupRoutes(context)
      resetRoutes(context)
      accountRoutes(context)
      secondFactorRoutes(context)
      for (const command of [createsuperuser, changepassword, unlock]) app.command(command)
      app.deployChecks.push(() => deployChecks(auth))
      app.onBoot(() => auth.boot())
    },
  }
}
