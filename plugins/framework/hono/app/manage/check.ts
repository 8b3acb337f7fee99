import type { AnyApp } from "../app.ts"
import type { AppCommand, Finding } from "../part.ts"
import { options } from "./args.ts"
import { modelsDiffer, standingOf } from "../migrations.ts"

export const check: AppCommand = {
  name: "check",
  help: "looks for what is wrong; --deploy: what is not safe or not ready for the public; --strict: warnings are errors",
  async run(args, app) {
    const { values } = options(args, { deploy: { type: "boolean" }, strict: { type: "boolean" } })
    const found = [...(await always(app)), ...(values.deploy === true ? await beforeDeployment(app) : [])]
    for (const { level, text, cure } of found) console.log(`${level}: ${text}\n  ${cure}`)
    const errors = found.filter(({ level }) => level === "error" || values.strict === true).length
    console.log(found.length === 0 ? "nothing found" : `${errors} errors, ${found.length - errors} warnings`)
    return errors > 0 ? 1 : 0
  },
}

async function always(app: AnyApp): Promise<Finding[]> {
  const found: Finding[] = []
  if (!app.keepsData) return found
  const { waiting } = await standingOf(app)
  if (waiting.length > 0) found.push({ level: "error", text: `the database is behind by ${waiting.length}`, cure: `edge manage ${app.booted.name} migrate` })
  if (await modelsDiffer(app)) found.push({ level: "error", text: "the models have no migration", cure: `edge manage ${app.booted.name} makemigrations` })
  return found
}

async function beforeDeployment(app: AnyApp): Promise<Finding[]> {
  const found: Finding[] = []
  const warn = (text: string, cure: string): void => void found.push({ level: "warning", text, cure })
  const fail = (text: string, cure: string): void => void found.push({ level: "error", text, cure })
  const { security = {} } = app.given
  if (app.secretSource === "app") fail("the secret is in the source", "set SECRET_KEY instead, to 32 or more random characters")
  if (app.secretSource === "file") warn("the secret is in the file .secret", "with more than one machine set SECRET_KEY to the same value on each; keep the file out of the repository")
  if (app.siteUrl === undefined) fail("the site's URL is not known", 'set SITE_URL="https://example.com": without it links in mails would follow the Host that a visitor sends')
  else if (!app.siteUrl.startsWith("https://")) fail(`the site's URL is ${app.siteUrl}`, "serve it by https: passwords and cookies are read by others otherwise")
  if (security.csp === false) fail("there is no Content-Security-Policy", "leave `csp` at its default, or give a policy")
  else if (security.csp?.includes("'unsafe-eval'") === true || /script-src[^;]*'unsafe-inline'/.test(security.csp ?? "")) warn("the policy lets scripts in that are written into pages", "give them nonce={c.var.nonce}")
  if (security.hstsSeconds === 0) warn("browsers are not told to come by https only", "leave `hstsSeconds` at its default")
  if (app.exempt.some(path => path === "/*" || path === "*")) fail("every form is exempt from the CSRF check", "exempt single paths only")
  if (app.sessionOptions.days > 90) warn(`sessions last ${app.sessionOptions.days} days`, "a stolen cookie works as long")
  for (const part of app.deployChecks) found.push(...(await part()))
  return found
}
