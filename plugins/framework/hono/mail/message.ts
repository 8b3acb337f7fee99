import type { Child } from "hono/jsx"

/** "ann@example.com", or with the name that mail programs show. */
export type Address = string | { readonly name: string; readonly address: string }

export interface Attachment {
  readonly name: string
  readonly content: string | Uint8Array
  /** "application/pdf"; default by the name. */
  readonly type?: string
}

/** One mail. Give `body` (a page; the text is made from it), or `text`, or `html`, or both of these. */
export interface Message {
  readonly to: Address | readonly Address[]
  readonly subject: string
  readonly body?: Child | Promise<Child>
  readonly text?: string
  readonly html?: string
  /** Default: MAIL_FROM, or noreply@ the site's host. */
  readonly from?: Address
  readonly replyTo?: Address
  readonly cc?: readonly Address[]
  readonly bcc?: readonly Address[]
  readonly headers?: Readonly<Record<string, string>>
  readonly attachments?: readonly Attachment[]
}

/** A mail as it is handed to a back end. */
export interface Letter {
  readonly from: Address
  readonly to: readonly Address[]
  readonly cc: readonly Address[]
  readonly bcc: readonly Address[]
  readonly replyTo?: Address
  readonly subject: string
  readonly text: string
  readonly html?: string
  readonly headers: Readonly<Record<string, string>>
  readonly attachments: readonly Attachment[]
}

/**
 * Throws for what could add headers or receivers of a stranger's choice: a line end in the subject, a comma in an
 * address (header injection).
 */
export function checkLetter(letter: Letter): void {
  if (letter.to.length + letter.cc.length + letter.bcc.length === 0) throw new Error("a mail needs a receiver")
  for (const address of [letter.from, ...letter.to, ...letter.cc, ...letter.bcc, ...(letter.replyTo === undefined ? [] : [letter.replyTo])]) checkAddress(address)
  const lines = [letter.subject, ...Object.entries(letter.headers).flat(), ...letter.attachments.map(attachment => attachment.name)]
  for (const line of lines) if (CONTROL.test(line)) throw new Error(`a mail's header cannot have a line end: ${JSON.stringify(line.slice(0, 80))}`)
}

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/

function checkAddress(address: Address): void {
  const [name, mailbox] = typeof address === "string" ? ["", address] : [address.name, address.address]
  if (CONTROL.test(name) || !/^[^\s@<>(),:;"\\]+@[^\s@<>(),:;"\\]+$/.test(mailbox)) throw new Error(`not an e-mail address: ${JSON.stringify(mailbox.slice(0, 80))}`)
}

export function mailboxOf(address: Address): string {
  return typeof address === "string" ? address : address.address
}

export function shown(address: Address): string {
  return typeof address === "string" ? address : `${address.name} <${address.address}>`
}
