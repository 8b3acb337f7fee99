/** Pages on the way in: login, sign-up, reset. */
import type { Child } from "hono/jsx"
import { Card, type Faults, Field, focusOf, Form, NewPassword } from "./parts.tsx"

export interface LoginProps {
  readonly paths: { readonly login: string; readonly signup?: string; readonly forgot: string }
  readonly email: string
  /** Where to go afterwards; checked to be a path of this site. */
  readonly next: string
  readonly faults: Faults
}
export function LoginPage({ paths, email, next, faults }: LoginProps): Child {
  const focus = focusOf(faults, email === "" ? "email" : "password")
  return (
    <Card title="Log in">
      <Form action={paths.login} fault={faults[""]}>
        <input type="hidden" name="next" value={next} />
        <Field name="email" label="E-mail" type="email" value={email} autocomplete="username" autofocus={focus === "email"} maxlength={254} fault={faults.email} />
        <Field
          name="password"
          label="Password"
          type="password"
          autocomplete="current-password"
          autofocus={focus === "password"}
          maxlength={1024}
          fault={faults.password}
          aside={<a href={paths.forgot}>Forgot it?</a>}
        />
        <button type="submit">Log in</button>
      </Form>
      {paths.signup !== undefined && (
        <p class="auth-foot">
          New here? <a href={paths.signup}>Create an account</a>
        </p>
      )}
    </Card>
  )
}

export interface CodeProps {
  readonly action: string
  readonly login: string
  readonly faults: Faults
}
export function CodePage({ action, login, faults }: CodeProps): Child {
  return (
    <Card title="One more step" lead="Enter the six digits that your authenticator app shows now, or one of your recovery codes.">
      <Form action={action} fault={faults[""]}>
        <Field name="code" label="Code" autocomplete="one-time-code" autofocus maxlength={30} fault={faults.code} />
        <button type="submit">Continue</button>
      </Form>
      <p class="auth-foot">
        <a href={login}>Start again</a>
      </p>
    </Card>
  )
}

export interface SignupProps {
  readonly paths: { readonly signup: string; readonly login: string }
  readonly email: string
  readonly name: string
  readonly faults: Faults
}
export function SignupPage({ paths, email, name, faults }: SignupProps): Child {
  const focus = focusOf(faults, "name")
  return (
    <Card title="Create an account">
      <Form action={paths.signup} fault={faults[""]}>
        <Field name="name" label="Name" value={name} autocomplete="name" maxlength={150} autofocus={focus === "name"} fault={faults.name} />
        <Field
          name="email"
          label="E-mail"
          type="email"
          value={email}
          autocomplete="username"
          autofocus={focus === "email"}
          maxlength={254}
          help="We send you a link to confirm it."
          fault={faults.email}
        />
        <NewPassword autofocus={focus === "password"} fault={faults.password} />
        <button type="submit">Create an account</button>
      </Form>
      <p class="auth-foot">
        Have one already? <a href={paths.login}>Log in</a>
      </p>
    </Card>
  )
}

export interface ConfirmProps {
  readonly action: string
  readonly email: string
  /** Asked of another browser than the one that signed up: whose mailbox it is did not choose the password otherwise. */
  readonly askPassword: boolean
  readonly faults: Faults
}
export function ConfirmPage({ action, email, askPassword, faults }: ConfirmProps): Child {
  const lead = askPassword ? `Confirm ${email} with the password you chose when you signed up.` : `${email} is yours? One click, and your account is ready.`
  return (
    <Card title="Confirm your address" lead={lead}>
      <Form action={action} fault={faults[""]}>
        {askPassword && (
          <>
            <input type="hidden" name="username" autocomplete="username" value={email} />
            <Field name="password" label="Password" type="password" autocomplete="current-password" autofocus maxlength={1024} fault={faults.password} />
          </>
        )}
        <button type="submit">Confirm and log in</button>
      </Form>
    </Card>
  )
}

export interface ForgotProps {
  readonly action: string
  readonly login: string
  readonly email: string
  readonly faults: Faults
}
export function ForgotPage({ action, login, email, faults }: ForgotProps): Child {
  return (
    <Card title="Forgot your password?" lead="Enter your address, and we send you a link to choose a new one.">
      <Form action={action} fault={faults[""]}>
        <Field name="email" label="E-mail" type="email" value={email} autocomplete="username" autofocus maxlength={254} fault={faults.email} />
        <button type="submit">Send the link</button>
      </Form>
      <p class="auth-foot">
        <a href={login}>Back to the login</a>
      </p>
    </Card>
  )
}

export interface ResetProps {
  readonly action: string
  readonly email: string
  readonly faults: Faults
}
export function ResetPage({ action, email, faults }: ResetProps): Child {
  return (
    <Card title="Choose a new password" lead={`For ${email}. You will be logged out everywhere else.`}>
      <Form action={action} fault={faults[""]}>
        <NewPassword email={email} label="New password" fault={faults.password} />
        <button type="submit">Set the new password</button>
      </Form>
    </Card>
  )
}

export interface LogoutProps {
  readonly action: string
  readonly name: string
}
export function LogoutPage({ action, name }: LogoutProps): Child {
  return (
    <Card title="Log out?" lead={`You are logged in as ${name}.`}>
      <Form action={action}>
        <button type="submit">Log out</button>
      </Form>
    </Card>
  )
}

export interface NoticeProps {
  readonly title: string
  readonly text: string
  readonly link?: { readonly href: string; readonly text: string }
}
/** Words and a way on: mail sent, link too old. */
export function NoticePage({ title, text, link }: NoticeProps): Child {
  return (
    <Card title={title} lead={text}>
      {link !== undefined && (
        <p>
          <a href={link.href}>{link.text}</a>
        </p>
      )}
    </Card>
  )
}
