import { endSessionsOf } from "../../app/session.ts"
import { subjectOf } from "../../auth/accounts.ts"
import { authOf } from "../../auth/auth.ts"
import type { User, UserRow } from "../../auth/models.ts"
import { sendResetLink } from "../../auth/routes/reset.ts"
import { forgive } from "../../auth/throttle.ts"
import type { Action } from "./settings.ts"

/** Mails at one go: each is a talk with the mail server, and one click should not become a mailing. */
const MOST_MAILS = 100

/** What staff does for people who cannot get in, or who should not be in. Nobody is told or given a password. */
export const accountActions: Readonly<Record<string, Action<(typeof User)["fields"]>>> = {
  link: {
    label: "Send a link to choose a password",
    confirm: "They get a mail with a link, good once: for an hour, or for a week if they have no password yet.",
    async run(rows, c) {
      let sent = 0
      let off = 0
      for await (const row of rows) {
        if (sent === MOST_MAILS) return `${sent} mails sent, and no more at one go.`
        if (row.isActive) {
          await sendResetLink(c, row as UserRow)
          sent++
        } else off++
      }
      return `${sent === 1 ? "1 mail" : `${sent} mails`} sent.${off > 0 ? ` ${off} not: switched off.` : ""}`
    },
  },
  logout: {
    label: "Log out everywhere",
    async run(rows) {
      const done = await rows.each(async row => void (await endSessionsOf(subjectOf(row.id))))
      return `${done === 1 ? "1 user is" : `${done} users are`} logged out.`
    },
  },
  unlock: {
    label: "Unlock after wrong passwords",
    confirm: false,
    async run(rows) {
      const done = await rows.each(row => forgive(row.email))
      return `${done === 1 ? "1 user" : `${done} users`} may try again.`
    },
  },
  secondFactorOff: {
    label: "Switch two-step login off",
    danger: true,
    confirm: "For who has lost both telephone and recovery codes. Make sure that it is them who ask.",
    async run(rows, c) {
      if (c.var.user?.isSuperuser !== true) return "Only superusers may do this. Nothing was changed."
      const { secondFactors } = authOf(c.var.app)
      const done = await rows.each(row => secondFactors.disable(row))
      return `Switched off for ${done === 1 ? "1 user" : `${done} users`}.`
    },
  },
}
