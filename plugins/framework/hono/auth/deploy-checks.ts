import type { Finding } from "../app/part.ts"
import { oneOf } from "../db/compare.ts"
import { mailerOf } from "../mail/mailer.ts"
import { hasTables } from "./accounts.ts"
import type { Auth } from "./auth.ts"
import { RECOMMENDED } from "./hashing.ts"
import { SecondFactor, User } from "./models.ts"

/** What `check --deploy` says of users. */
export async function deployChecks(auth: Auth): Promise<Finding[]> {
  const found: Finding[] = []
  const { cost } = auth.accounts.hashing
  if (cost.memoryCost < RECOMMENDED.memoryCost || cost.timeCost < RECOMMENDED.timeCost) {
    found.push({ level: "error", text: "passwords are hashed at less than the recommended cost", cure: "leave `hashing` of users() at its default" })
  }
  if (/^(?:console|memory):/.test(mailerOf(auth.app).url)) {
    found.push({ level: "error", text: "mails are not sent: nobody can sign up or reset a password", cure: 'set MAIL_URL="smtp://user:password@host:587" and MAIL_FROM' })
  }
  const open = (await hasTables()) ? await staffWithoutSecondFactor() : []
  if (open.length > 0) {
    const more = open.length > 3 ? ` and ${open.length - 3} more` : ""
    found.push({ level: "warning", text: `staff with a password alone: ${open.slice(0, 3).join(", ")}${more}`, cure: `switch two-step login on at ${auth.paths.account}` })
  }
  return found
}

async function staffWithoutSecondFactor(): Promise<string[]> {
  const staff = await User.where({ isActive: true, or: [{ isStaff: true }, { isSuperuser: true }] }).limit(1000)
  const safe = new Set(await SecondFactor.where({ user: oneOf(staff.map(user => user.id)) }).pluck("userId"))
  return staff.filter(user => !safe.has(user.id)).map(user => user.email)
}
