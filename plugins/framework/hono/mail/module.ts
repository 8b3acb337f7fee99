/** "edge/mail": mails by SMTP, to the terminal, to files, or to an outbox for tests. */
export { mail, Mailer, mailerOf, type MailOptions } from "./mailer.ts"
export type { Address, Attachment, Letter, Message } from "./message.ts"
export { MailButton, MailPage } from "./template.tsx"
export { textOf } from "./text-of.ts"
