import { createInterface } from "node:readline/promises"
import { Writable } from "node:stream"
import type { ParseArgsConfig } from "node:util"
import type { AnyApp } from "../app/app.ts"
import { options } from "../app/manage/args.ts"
import { type AppCommand, CommandError } from "../app/part.ts"
import { contains } from "../db/compare.ts"
import { isEmail, toEmail } from "../db/email-address.ts"
import { ValidationError } from "../db/errors.ts"
import { normalEmail } from "./accounts.ts"
import { authOf } from "./auth.ts"
import type { UserRow } from "./models.ts"
import { User } from "./models.ts"
import { forgive } from "./throttle.ts"

/** Passwords come from the terminal or from this: an argument would be seen by everybody on the machine (`ps`). */
const PASSWORD = "EDGE_PASSWORD"

export const createsuperuser: AppCommand = {
  name: "createsuperuser",
  help: `makes a user who may do everything: [--email E] [--name N]; the password is asked for, or taken from ${PASSWORD}`,
  async run(args, app) {
    const { values } = read(args, { email: { type: "string" }, name: { type: "string" } })
    const { accounts } = authOf(app)
    const email = values.email === undefined ? await askUntil(() => ask("E-mail: "), typed => faultOfEmail(app, typed)) : values.email
    if ((await accounts.find(email)) !== null) throw new CommandError(`there is a user ${email} already`)
    const name = values.name ?? (process.stdin.isTTY ? await ask("Name: ") : email.split("@")[0]!)
    const hash = await askPassword(password => told(() => accounts.hashChecked(password, { email, name })))
    await told(() => accounts.createHashed({ email: normalEmail(email), name, isStaff: true, isSuperuser: true, emailVerifiedAt: new Date() }, hash))
    console.log(`${email} is a superuser of ${app.title}`)
  },
}

export const changepassword: AppCommand = {
  name: "changepassword",
  help: `sets a user's password and ends the user's sessions: E-MAIL; the password is asked for, or taken from ${PASSWORD}`,
  async run(args, app) {
    const user = await find(app, read(args, {}).positionals[0])
    await askPassword(password => told(() => authOf(app).accounts.setPassword(user, password)))
    console.log(`the password of ${user.email} is changed`)
  },
}

export const unlock: AppCommand = {
  name: "unlock",
  help: "lets a user log in again at once who had too many wrong passwords: E-MAIL [--second-factor] also switches the second factor off",
  async run(args, app) {
    const { values, positionals } = read(args, { "second-factor": { type: "boolean" } })
    const user = await find(app, positionals[0])
    await forgive(user.email)
    if (values["second-factor"] === true) await authOf(app).secondFactors.disable(user)
    console.log(`${user.email} may log in again`)
  },
}

async function find(app: AnyApp, email: string | undefined): Promise<UserRow> {
  if (email === undefined) throw new CommandError("say whose: the user's e-mail address")
  const user = await authOf(app).accounts.find(email)
  if (user !== null) return user
  const like = await User.where({ email: contains(email.split("@")[0]!) }).limit(3).pluck("email")
  throw new CommandError(`there is no user ${email}${like.length > 0 ? `; there is ${like.join(", ")}` : ""}`)
}

async function told<T>(f: () => Promise<T>): Promise<T> {
  try {
    return await f()
  } catch (error) {
    if (error instanceof ValidationError) throw new CommandError(Object.entries(error.issues).map(([key, why]) => `${key}: ${why}`).join("\n"), { cause: error })
    throw error
  }
}

async function ask(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw new CommandError("there is no terminal to ask: give --email")
  return (await answer(question, process.stdout)).trim()
}

async function answer(question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true })
  // Written once the terminal shows nothing of itself any more: a password that is typed at once would be seen.
  if (output !== process.stdout) process.stdout.write(question)
  try {
    return await lines.question(question)
  } catch (error) {
    throw new CommandError("stopped; nothing was changed", { cause: error })
  } finally {
    lines.close()
  }
}

/** Asks until `take` has no fault to find; what it gives is given. Without a terminal the first fault ends the command. */
async function askPassword<T>(take: (password: string) => Promise<T>): Promise<T> {
  const given = process.env[PASSWORD]
  if (given !== undefined) return take(given)
  if (!process.stdin.isTTY) throw new CommandError(`there is no terminal to ask for a password: set ${PASSWORD}`)
  for (;;) {
    const password = await askHidden("Password: ")
    if ((await askHidden("Again: ")) !== password) {
      console.log("They differ; once more.")
      continue
    }
    try {
      return await take(password)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      console.log(error.message)
    }
  }
}

async function askUntil(question: () => Promise<string>, fault: (typed: string) => Promise<string | undefined>): Promise<string> {
  for (;;) {
    const typed = await question()
    const wrong = await fault(typed)
    if (wrong === undefined) return typed
    console.log(wrong)
  }
}

async function faultOfEmail(app: AnyApp, typed: string): Promise<string | undefined> {
  if (!isEmail(toEmail(typed))) return "This is no e-mail address."
  return (await authOf(app).accounts.find(typed)) === null ? undefined : `There is a user ${typed} already.`
}

/** Options of a command; a password among them would be seen by everybody on the machine. */
function read<const T extends NonNullable<ParseArgsConfig["options"]>>(args: readonly string[], known: T) {
  if (args.some(arg => /^--?p(?:ass)?(?:word)?(?:=|$)/.test(arg))) throw new CommandError(`a password is no argument, which everybody on the machine could read (ps): it is asked for, or taken from ${PASSWORD}`)
  return options(args, known)
}

/** Nothing of what is typed is shown. */
async function askHidden(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  try {
    return await answer(question, nowhere)
  } finally {
    process.stdout.write("\n")
  }
}
