import { isCommon } from "./common-passwords.ts"
import { LONGEST_PASSWORD } from "./hashing.ts"

/** What is known of the person; a password must not be like it. */
export interface PasswordOwner {
  readonly email: string
  readonly name: string
}
/** Says what is wrong with a password, or nothing. May ask a service (leaked passwords). */
export interface PasswordRule {
  (password: string, owner: PasswordOwner): string | undefined | Promise<string | undefined>
  /** Said beside the field before anything is typed. */
  readonly help?: string
}

export function longEnough(least = 10): PasswordRule {
  const rule: PasswordRule = password => ([...password].length < least ? `Too short: at least ${least} characters.` : undefined)
  return Object.assign(rule, { help: `At least ${least} characters.` })
}

export const notTooLong: PasswordRule = password =>
  password.length > LONGEST_PASSWORD ? `Too long: at most ${LONGEST_PASSWORD} characters.` : undefined

export const notCommon: PasswordRule = password => (isCommon(password) ? "Too common: it is among the first that are guessed." : undefined)

export const notOnlyDigits: PasswordRule = password => (/^\d+$/.test(password) ? "Only digits are too easy to guess." : undefined)

/** What guessing programs try right after the lists: every word they know, with a number behind it. */
export const notOneWord: PasswordRule = password =>
  /^\d{0,2}[A-Za-z]?[a-z]+\d{0,4}[!.?*]?$/.test(password) && password.length < 14 ? "One word with a number is guessed early: add another word." : undefined

/** Not made of the e-mail address or the name, forwards or backwards. */
export const notLikeOwner: PasswordRule = (password, owner) => {
  const bare = fold(password)
  const parts = [owner.name, owner.email, ...owner.email.split(/[@.+_-]/), ...owner.name.split(/\s+/)].map(fold)
  const like = parts.some(part => part.length >= 4 && (covers(bare, part) || covers(bare, [...part].toReversed().join(""))))
  return like ? "Too much like your name or e-mail address." : undefined
}

export const standardRules: readonly PasswordRule[] = [longEnough(), notTooLong, notLikeOwner, notCommon, notOneWord, notOnlyDigits]

/** What is wrong with it: the first rule's word, as one is enough to choose another. */
export async function passwordFault(password: string, owner: PasswordOwner, rules: readonly PasswordRule[]): Promise<string | undefined> {
  for (const rule of rules) {
    const fault = await rule(password, owner)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** True when `part` is most of the password: "ann.smith" in "annsmith1980", not in a sentence that names Ann Smith. */
function covers(password: string, part: string): boolean {
  return (password.includes(part) && part.length * 2 > password.length) || (part.includes(password) && password.length >= 4)
}

function fold(text: string): string {
  return text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "")
}
