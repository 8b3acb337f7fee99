import type { Database as SqliteFile } from "bun:sqlite"
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { CommandError, type AppCommand } from "../part.ts"
import { options } from "./args.ts"

export const backup: AppCommand = {
  name: "backup",
  help: "copies the database as it is at one moment, while the app runs; FILE, default backups/NAME-DATE",
  async run(args, app) {
    const { positionals } = options(args, {})
    const { dialect, url } = app.database
    const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+Z/g, "").replace("T", "-")
    const file = resolve(app.booted.dir, positionals[0] ?? `backups/${app.booted.name}-${stamp}${dialect === "sqlite" ? ".db" : ".sql"}`)
    if (existsSync(file)) throw new CommandError(`${file} exists already`)
    mkdirSync(dirname(file), { recursive: true })
    // The copy has every password hash: nobody else may read it, from its first byte on.
    process.umask(0o077)
    if (dialect === "sqlite") (app.database.client as SqliteFile).run("VACUUM INTO ?", [file])
    else await dump(url, file)
    chmodSync(file, 0o600)
    console.log(`wrote ${file}, ${Math.ceil(statSync(file).size / 1024)} kB`)
    return 0
  },
}

async function dump(url: string, file: string): Promise<void> {
  const tool = Bun.which("pg_dump")
  if (tool === null) throw new CommandError("a backup of PostgreSQL needs its own pg_dump, which is not installed here")
  // The URL holds the password: by the environment, as every user of the machine can see arguments.
  const child = Bun.spawn([tool, "--no-owner", "--file", file], { env: { ...process.env, ...asPgVariables(url) }, stderr: "pipe" })
  const [code, words] = await Promise.all([child.exited, new Response(child.stderr).text()])
  if (code !== 0) throw new CommandError(`pg_dump: ${words.trim()}`)
}

function asPgVariables(text: string): Record<string, string> {
  const url = new URL(text)
  const variables: Record<string, string> = { PGDATABASE: decodeURIComponent(url.pathname.slice(1)) }
  if (url.hostname !== "") variables.PGHOST = url.hostname
  if (url.port !== "") variables.PGPORT = url.port
  if (url.username !== "") variables.PGUSER = decodeURIComponent(url.username)
  if (url.password !== "") variables.PGPASSWORD = decodeURIComponent(url.password)
  for (const [key, value] of url.searchParams) if (key === "host") variables.PGHOST = value
  return variables
}
