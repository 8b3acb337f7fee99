/** `edge hash`: a password as basic_auth wants it. Asked for on the terminal, or read from a pipe; never an argument, which all can see. */
import { EdgeError, errors } from "../errors.ts"

export async function run({ user }: { readonly user?: string }): Promise<void> {
  const password = process.stdin.isTTY ? await askTwice() : (await Bun.stdin.text()).replace(/\r?\n$/, "")
  if (password === "") throw new EdgeError(errors.usage("the password is empty"))
  const hash = await Bun.password.hash(password, "argon2id")
  console.log(user === undefined ? hash : `${user}:${hash}`)
}

async function askTwice(): Promise<string> {
  const first = await ask("Password: ")
  if ((await ask("Again: ")) !== first) throw new EdgeError(errors.usage("the two are not the same"))
  return first
}

/** One line, not shown. */
function ask(question: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(question)
  return new Promise((resolve, reject) => {
    let text = ""
    const done = (): void => {
      stdin.off("data", take)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write("\n")
    }
    const take = (chunk: Buffer): void => {
      for (const c of chunk.toString("utf8")) {
        if (c === "\r" || c === "\n") {
          done()
          return resolve(text)
        }
        if (c === "\u0003") {
          done()
          return reject(new EdgeError(errors.usage("stopped")))
        }
        text = c === "\u007f" || c === "\b" ? text.slice(0, -1) : text + c
      }
    }
    stdin.setRawMode(true)
    stdin.resume()
    stdin.on("data", take)
  })
}
