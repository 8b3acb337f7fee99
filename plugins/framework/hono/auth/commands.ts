import { createInterface } from "node:readline/promises"
import { Writable } from "node:stream"
import { parseArgs } from "node:util"
import type { AnyApp } from "../app/app.ts"
import { type AppCommand, CommandError } from "../app/part.ts"
import { contains } from "../db/compare.ts"
import { ValidationError } from "../db/errors.ts"
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
    const { values } = parseArgs({ args: [...args], options: { email: { type: "string" }, name: { type: "string" } }, strict: true })
    const { accounts } = authOf(app)
    const email = values.email ?? (await ask("E-mail: "))
    if ((await accounts.find(email)) !== null) throw new CommandError(`there is a user ${email} already`)
    const name = values.name ?? (process.stdin.isTTY ? await ask("Name: ") : email.split("@")[0]!)
    const password = await askPassword()
    await told(() => accounts.create({ email, name, password, isStaff: true, isSuperuser: true, emailVerifiedAt: new Date() }))
    console.log(`${email} is a superuser of ${app.title}`)
  },
}

export const changepassword: AppCommand = {
  name: "changepassword",
  help: `sets a user's password and ends the user's sessions: E-MAIL; the password is asked for, or taken from ${PASSWORD}`,
  async run(args, app) {
    const user = await find(app, args[0])
    const password = await askPassword()
    await told(() => authOf(app).accounts.setPassword(user, password))
    console.log(`the password of ${user.email} is changed`)
  },
}

export const unlock: AppCommand = {
  name: "unlock",
  help: "lets a user log in again at once who had too many wrong passwords: E-MAIL [--second-factor] also switches the second factor off",
  async run(args, app) {
    const { values, positionals } = parseArgs({ args: [...args], options: { "second-factor": { type: "boolean" } }, allowPositionals: true })
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
  try {
    return await lines.question(question)
  } catch (error) {
    throw new CommandError("stopped; nothing was changed", { cause: error })
  } finally {
    lines.close()
  }
}

async function askPassword(): Promise<string> {
  const given = process.env[PASSWORD]
  if (given !== undefined) return given
  if (!process.stdin.isTTY) throw new CommandError(`there is no terminal to ask for a password: set ${PASSWORD}`)
  const password = await askHidden("Password: ")
  if ((await askHidden("Again: ")) !== password) throw new CommandError("they differ; nothing was changed")
  return password
}

/** Nothing of what is typed is shown. */
async function askHidden(question: string): Promise<string> {
  process.stdout.write(question)
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  try {
    return await answer("", nowhere)
  } finally {
    process.stdout.write("\n")
  }
}
