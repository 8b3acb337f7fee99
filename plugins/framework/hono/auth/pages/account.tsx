/** Pages of who is logged in. */
import { raw } from "hono/html"
import type { Child } from "hono/jsx"
import { Card, type Faults, Field, Form, Frame, NewPassword } from "./parts.tsx"

export interface AccountProps {
  readonly path: string
  readonly logout: string
  readonly user: { readonly email: string; readonly name: string }
  readonly hasPassword: boolean
  readonly forgot: string
  readonly secondFactor: { readonly on: boolean; readonly codesLeft: number }
  readonly logins: readonly { readonly id: number; readonly browser: string; readonly ip: string; readonly since: string; readonly here: boolean }[]
  /** Which form was refused, why, and what was typed into it. */
  readonly wrong?: { readonly form: "name" | "email" | "password" | "second"; readonly faults: Faults; readonly values: Readonly<Record<string, string>> }
}

export function AccountPage(props: AccountProps): Child {
  const { path, logout, user, hasPassword, secondFactor, logins } = props
  const faults = (form: string): Faults => (props.wrong?.form === form ? props.wrong.faults : {})
  const typed = (form: string, field: string): string | undefined => (props.wrong?.form === form ? props.wrong.values[field] : undefined)
  const current = (id: string, fault: string | undefined) => (
    <Field id={id} name="current" label="Current password" type="password" autocomplete="current-password" maxlength={1024} fault={fault} />
  )
  return (
    <Frame wide>
      <h1 style="margin-bottom:1.25rem">Your account</h1>
      <section class="auth-card" aria-labelledby="auth-h-name">
        <h2 id="auth-h-name">Profile</h2>
        <Form action={`${path}/name`} fault={faults("name")[""]}>
          <Field name="name" label="Name" value={typed("name", "name") ?? user.name} autocomplete="name" maxlength={150} fault={faults("name").name} />
          <button type="submit">Save</button>
        </Form>
      </section>
      <section class="auth-card" aria-labelledby="auth-h-email">
        <h2 id="auth-h-email">E-mail</h2>
        <p class="auth-lead">Now: {user.email}. A new one is used once you open the link we send to it.</p>
        {hasPassword && (
          <Form action={`${path}/email`} fault={faults("email")[""]}>
            <Field name="email" label="New e-mail" type="email" value={typed("email", "email") ?? ""} autocomplete="email" maxlength={254} fault={faults("email").email} />
            {current("auth-email-current", faults("email").current)}
            <button type="submit">Send the link</button>
          </Form>
        )}
      </section>
      <section class="auth-card" aria-labelledby="auth-h-password">
        <h2 id="auth-h-password">Password</h2>
        {hasPassword ? (
          <>
            <p class="auth-lead">A new one logs you out everywhere else.</p>
            <Form action={`${path}/password`} fault={faults("password")[""]}>
              {current("auth-password-current", faults("password").current)}
              <NewPassword id="auth-password-new" label="New password" email={user.email} fault={faults("password").password} />
              <button type="submit">Change the password</button>
            </Form>
          </>
        ) : (
          <p>
            You have none yet. <a href={props.forgot}>Get a link to choose one</a>
          </p>
        )}
      </section>
      <section class="auth-card" aria-labelledby="auth-h-second">
        <h2 id="auth-h-second">
          Two-step login {secondFactor.on && <span class="auth-tag">On</span>}
        </h2>
        {secondFactor.on ? (
          <>
            <p class="auth-lead">Your authenticator app is asked for a code. Recovery codes left: {String(secondFactor.codesLeft)}.</p>
            <Form action={`${path}/second-factor/off`} fault={faults("second")[""]}>
              {current("auth-second-current", faults("second").current)}
              <div class="auth-row auth-row-buttons">
                <button type="submit" class="auth-danger">
                  Switch it off
                </button>
                <button type="submit" class="auth-quiet" formaction={`${path}/second-factor/codes`}>
                  New recovery codes
                </button>
              </div>
            </Form>
          </>
        ) : (
          <>
            <p class="auth-lead">With it, a stolen password alone does not let anybody in.</p>
            {hasPassword && (
              <p>
                <a href={`${path}/second-factor`}>Set it up with an authenticator app</a>
              </p>
            )}
          </>
        )}
      </section>
      <section class="auth-card" aria-labelledby="auth-h-logins">
        <h2 id="auth-h-logins">Where you are logged in</h2>
        <ul class="auth-list">
          {logins.map(login => (
            <li>
              <div>
                {login.browser} {login.here && <span class="auth-tag">This one</span>}
                <small>
                  Since {login.since}
                  {login.ip !== "" && `, from ${login.ip}`}
                </small>
              </div>
              {!login.here && (
                <Form action={`${path}/logins`}>
                  <input type="hidden" name="id" value={String(login.id)} />
                  <button type="submit" class="auth-quiet" aria-label={`Log out ${login.browser}, since ${login.since}`}>
                    Log out
                  </button>
                </Form>
              )}
            </li>
          ))}
        </ul>
        <div class="auth-row auth-row-buttons">
          {logins.length > 1 && (
            <Form action={`${path}/logins`}>
              <input type="hidden" name="id" value="others" />
              <button type="submit" class="auth-quiet">
                Log out everywhere else
              </button>
            </Form>
          )}
          <Form action={logout}>
            <button type="submit" class="auth-quiet">
              Log out here
            </button>
          </Form>
        </div>
      </section>
    </Frame>
  )
}

export interface SecondFactorProps {
  readonly action: string
  readonly account: string
  readonly email: string
  /** An SVG of ours. */
  readonly qr: string
  readonly secret: string
  readonly faults: Faults
}
export function SecondFactorPage({ action, account, email, qr, secret, faults }: SecondFactorProps): Child {
  return (
    <Card title="Set up two-step login" lead="Scan this with an authenticator app, then enter the code that it shows.">
      <div class="auth-qr" role="img" aria-label="QR code with the key below">
        {raw(qr)}
      </div>
      <p class="auth-lead">
        Cannot scan it? Enter this key: <span class="auth-secret">{secret.replaceAll(/(.{4})(?=.)/g, "$1 ")}</span>
      </p>
      <Form action={action} fault={faults[""]}>
        <input type="hidden" name="username" autocomplete="username" value={email} />
        <Field name="code" label="Code from the app" autocomplete="one-time-code" inputmode="numeric" maxlength={10} fault={faults.code} />
        <Field name="current" label="Your password" type="password" autocomplete="current-password" maxlength={1024} fault={faults.current} />
        <button type="submit">Switch it on</button>
      </Form>
      <p class="auth-foot">
        <a href={account}>Not now</a>
      </p>
    </Card>
  )
}

export interface RecoveryCodesProps {
  readonly codes: readonly string[]
  readonly account: string
}
export function RecoveryCodesPage({ codes, account }: RecoveryCodesProps): Child {
  return (
    <Card title="Save these codes" lead="Each lets you in once when you do not have your telephone. Print them or put them into your password manager: they are not shown again.">
      <ul class="auth-codes">
        {codes.map(code => (
          <li>{code}</li>
        ))}
      </ul>
      <a class="auth-button" href={account}>
        I have saved them
      </a>
    </Card>
  )
}
