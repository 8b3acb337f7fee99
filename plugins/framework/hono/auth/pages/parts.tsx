import { raw } from "hono/html"
import type { Child } from "hono/jsx"
import { useRequestContext } from "hono/jsx-renderer"
import { CsrfField } from "../../app/elements.tsx"
import type { AppEnv } from "../../app/env.ts"
import type { PageProps } from "../../app/render.tsx"
import { authOf } from "../auth.ts"
import { BODY, STYLE } from "./style.ts"

/** Errors of a form: one for each field, "" for the form as a whole. */
export type Faults = Readonly<Record<string, string>>

/** The document of a page that stands alone, outside of any layout of the app. */
export function AuthDocument({ title, children }: PageProps & { children?: Child }): Child {
  const { app } = useRequestContext<AppEnv>().var
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>{`${title ?? "Account"} · ${app.title}`}</title>
        <style>{raw(BODY)}</style>
      </head>
      <body>
        <header>
          <a class="auth-site" href="/">
            {app.title}
          </a>
        </header>
        <main>{children}</main>
      </body>
    </html>
  )
}

/** One card, with the words that wait for the visitor above it. */
export async function Card({ title, lead, wide, children }: { title: string; lead?: Child; wide?: boolean; children?: Child }): Promise<Child> {
  return (
    <Frame wide={wide === true}>
      <section class="auth-card auth-main">
        <h1>{title}</h1>
        {lead !== undefined && <p class="auth-lead">{lead}</p>}
        {children}
      </section>
    </Frame>
  )
}

export async function Frame({ wide, children }: { wide?: boolean; children?: Child }): Promise<Child> {
  const messages = await useRequestContext<AppEnv>().var.messages.take()
  return (
    <div class={wide === true ? "auth auth-wide" : "auth"}>
      <style>{raw(STYLE)}</style>
      {messages.map(({ kind, text }) => (
        <p class={`auth-note ${kind === "error" || kind === "warning" ? "auth-bad" : "auth-good"}`} role="status">
          {text}
        </p>
      ))}
      {children}
    </div>
  )
}

/** A form that posts, with the visitor's token first and what is wrong with the whole above its fields. */
export function Form({ action, fault, children }: { action: string; fault?: string | undefined; children?: Child }): Child {
  return (
    <form method="post" action={action} novalidate>
      <CsrfField />
      {fault !== undefined && (
        <p class="auth-note auth-bad" role="alert">
          {fault}
        </p>
      )}
      {children}
    </form>
  )
}

export interface FieldProps {
  readonly name: string
  readonly label: string
  readonly type?: "text" | "email" | "password"
  readonly value?: string | undefined
  readonly help?: string
  readonly fault?: string | undefined
  /** What browsers and password managers fill in (https://html.spec.whatwg.org/#autofill). */
  readonly autocomplete: string
  readonly inputmode?: "numeric"
  readonly maxlength?: number
  readonly autofocus?: boolean | undefined
  readonly optional?: boolean
  /** Set where a page has two fields of one name. */
  readonly id?: string
  /** Beside the label. */
  readonly aside?: Child
}

export function Field({ name, label, type, value, help, fault, optional, aside, ...rest }: FieldProps): Child {
  const id = rest.id ?? `auth-${name}`
  const described = [fault === undefined ? "" : `${id}-wrong`, help === undefined ? "" : `${id}-help`].filter(Boolean).join(" ")
  return (
    <div class="auth-field">
      <div class="auth-row">
        <label for={id}>{label}</label>
        {aside}
      </div>
      <input
        id={id}
        name={name}
        type={type ?? "text"}
        value={type === "password" ? undefined : value}
        autocomplete={rest.autocomplete}
        inputmode={rest.inputmode}
        maxlength={rest.maxlength}
        autocapitalize="none"
        spellcheck={false}
        required={optional !== true}
        autofocus={rest.autofocus}
        aria-invalid={fault === undefined ? undefined : "true"}
        aria-describedby={described === "" ? undefined : described}
      />
      {fault !== undefined && (
        <p class="auth-wrong" id={`${id}-wrong`}>
          {fault}
        </p>
      )}
      {help !== undefined && (
        <p class="auth-help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  )
}

/** Name of the field to go on with: the first that is wrong, else this one. */
export function focusOf(faults: Faults, first: string): string {
  return Object.keys(faults).find(name => name !== "") ?? first
}

/** A new password; the user's name is beside it for password managers. */
export function NewPassword({ fault, email, id, label, autofocus }: { fault?: string | undefined; email?: string; id?: string; label?: string; autofocus?: boolean }): Child {
  const { rules } = authOf(useRequestContext<AppEnv>().var.app).accounts
  return (
    <>
      {email !== undefined && <input type="hidden" name="username" autocomplete="username" value={email} />}
      <Field
        name="password"
        label={label ?? "Password"}
        type="password"
        autocomplete="new-password"
        help={[...rules.flatMap(rule => rule.help ?? []), "Three or four words that have nothing to do with each other are good."].join(" ")}
        fault={fault}
        autofocus={autofocus}
        maxlength={1024}
        {...(id !== undefined && { id })}
      />
    </>
  )
}
