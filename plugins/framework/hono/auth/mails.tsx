import type { Child } from "hono/jsx"
import { MailButton, MailPage } from "../mail/template.tsx"

/** A mail's subject and body. */
export interface MailText {
  readonly subject: string
  readonly body: Child
}

/** What auth writes to people; an app may put its own in place of any. Every `link` is good once. */
export interface Mails {
  /** To who signed up: makes the account. It carries nothing that was typed: the mailbox may be a stranger's. */
  signup(of: { link: string; site: string }): MailText
  /** To who has an account, and signed up again, or wants another account's address: the visitor is told nothing of it. */
  known(of: { name: string; login: string; reset: string; site: string }): MailText
  reset(of: { name: string; link: string; site: string }): MailText
  /** To who was given an account. */
  invite(of: { name: string; link: string; site: string }): MailText
  /** To a new address of an account that is there; it may be a stranger's too. */
  email(of: { link: string; site: string }): MailText
  /** To the old address, or after a change that a thief would make. */
  changed(of: { name: string; what: "password" | "email" | "second factor on" | "second factor off"; reset: string; site: string }): MailText
}

export const builtInMails: Mails = {
  signup: ({ link, site }) => ({
    subject: `Confirm your address for ${site}`,
    body: (
      <MailPage title={`Welcome to ${site}`}>
        <p>Confirm that this is your address, and your account at {site} is ready. The link is good for a day.</p>
        <MailButton href={link}>Confirm your address</MailButton>
        <p>You did not sign up? Then do nothing: without the link there is no account.</p>
      </MailPage>
    ),
  }),
  known: ({ name, login, reset, site }) => ({
    subject: `You have an account at ${site} already`,
    body: (
      <MailPage title={`Hello, ${name}`}>
        <p>Somebody, probably you, wanted to use this address at {site}. It has an account already, and nothing was changed.</p>
        <MailButton href={login}>Log in</MailButton>
        <p>
          Forgot your password? <a href={reset}>Choose a new one</a>
        </p>
      </MailPage>
    ),
  }),
  reset: ({ name, link, site }) => ({
    subject: `A new password for ${site}`,
    body: (
      <MailPage title={`Hello, ${name}`}>
        <p>Somebody, probably you, wants a new password for your account at {site}. The link is good for an hour, once.</p>
        <MailButton href={link}>Choose a new password</MailButton>
        <p>It was not you? Then do nothing: your password stays as it is.</p>
      </MailPage>
    ),
  }),
  invite: ({ name, link, site }) => ({
    subject: `Your account at ${site}`,
    body: (
      <MailPage title={`Hello, ${name}`}>
        <p>You have an account at {site} now. Choose a password for it; the link is good for a week, once.</p>
        <MailButton href={link}>Choose a password</MailButton>
      </MailPage>
    ),
  }),
  email: ({ link, site }) => ({
    subject: `Confirm your new address for ${site}`,
    body: (
      <MailPage title="Is this your address?">
        <p>Open the link in the browser in which you are logged in, and this is the address of your account at {site}. It is good for a day.</p>
        <MailButton href={link}>Use this address</MailButton>
        <p>You do not know of this? Then do nothing.</p>
      </MailPage>
    ),
  }),
  changed: ({ name, what, reset, site }) => ({
    subject: `Your ${what === "email" ? "address" : what === "password" ? "password" : "two-step login"} at ${site} was changed`,
    body: (
      <MailPage title={`Hello, ${name}`}>
        <p>{CHANGES[what]}</p>
        <p>
          It was not you? Then write to us, and <a href={reset}>choose a new password</a>
        </p>
      </MailPage>
    ),
  }),
}

const CHANGES = {
  password: "The password of your account was changed.",
  email: "Your account has another e-mail address from now on; this one is no longer used.",
  "second factor on": "Two-step login is switched on for your account.",
  "second factor off": "Two-step login is switched off for your account.",
} as const
