/** uwsgi.ini -> site.toml. The table is docs/from-uwsgi.md. */
import { basename, dirname, isAbsolute, join, relative } from "node:path"
import type { ForeignFile } from "./adapters.ts"
import { type IniSetting, readIni } from "./ini.ts"
import { type AdaptedApp, type AdaptedSite, newApp, newSite, type Value } from "./site.ts"
import { uwsgiNotes } from "./uwsgi-words.ts"
import { listenAddress, nameOf, seconds } from "./words.ts"

interface Made {
  readonly site: AdaptedSite
  readonly app: AdaptedApp
  readonly listen: string[]
  readonly used: ReadonlySet<string>
  note(setting: IniSetting, why: string): void
  /** Set by one setting, used by another. */
  file?: string
  module?: string
  callable?: string
  lazy?: boolean
  processes?: number
  cheaper?: number
  readonly paths: string[]
  readonly mounts: { readonly path: string; readonly entry: string }[]
}

type Rule = (made: Made, setting: IniSetting) => void

export function adaptUwsgi(file: ForeignFile): Promise<AdaptedSite> {
  const site = newSite(basename(file.path))
  const { settings, used } = readIni(file)
  const app = newApp("app")
  const made: Made = {
    site,
    app,
    listen: [],
    used,
    note: ({ name, line }, why) => void site.notes.push({ setting: name, line, why }),
    paths: [],
    mounts: [],
  }
  app.keys.set("runtime", "wsgi")
  for (const setting of settings) apply(made, setting)
  finish(made)
  return Promise.resolve(site)
}

function apply(made: Made, setting: IniSetting): void {
  const name = setting.name.replaceAll("_", "-")
  if (setting.value === "false" || setting.value === "") return
  const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
  if (rule !== undefined) return rule(made, setting)
  const why = uwsgiNotes.find(([names]) => names.test(name))?.[1]
  if (why === undefined && made.used.has(setting.name)) return
  made.note(setting, why ?? "edge has no counterpart that `edge adapt` knows of")
}

const key =
  (name: string, to: (setting: IniSetting) => Value = ({ value }) => numberOr(value)): Rule =>
  ({ app }, setting) =>
    void app.keys.set(name, to(setting))
const server =
  (name: string, to: (setting: IniSetting) => Value = ({ value }) => value): Rule =>
  ({ site }, setting) =>
    void site.server.set(name, to(setting))
const rlimit =
  (name: string, unit = ""): Rule =>
  ({ app }, { value }) =>
    void app.keys.set("rlimits", { ...(app.keys.get("rlimits") as object | undefined), [name]: unit === "" ? numberOr(value) : `${value}${unit}` })
const limit = (made: Made, name: string, value: Value): void =>
  void made.site.server.set("limits", { ...(made.site.server.get("limits") as object | undefined), [name]: value })
const listen: Rule = (made, { value }) => void made.listen.push(listenAddress(value.split(",")[0]!))

const rules: Readonly<Record<string, Rule>> = {
  http: listen,
  "http-socket": listen,
  socket: (made, setting) => {
    listen(made, setting)
    made.note(setting, "edge speaks HTTP there, not uwsgi: in nginx `proxy_pass` instead of `uwsgi_pass`; or let edge take nginx's place")
  },
  "uwsgi-socket": (made, setting) => rules["socket"]!(made, setting),
  https: (made, { value }) => {
    const [address = "", cert = "", keyFile = ""] = value.split(",")
    made.listen.push(listenAddress(address))
    made.site.site.set("tls", { cert, key: keyFile })
  },
  module: (made, { value }) => void (made.module = value),
  wsgi: (made, { value }) => void (made.module = value),
  "wsgi-file": (made, { value }) => void (made.file = value),
  file: (made, { value }) => void (made.file = value),
  callable: (made, { value }) => void (made.callable = value),
  mount: (made, setting) => {
    const at = setting.value.indexOf("=")
    made.mounts.push({ path: setting.value.slice(0, at).trim(), entry: setting.value.slice(at + 1).trim() })
  },
  processes: (made, { value }) => void (made.processes = Number(value)),
  workers: (made, { value }) => void (made.processes = Number(value)),
  cheaper: (made, { value }) => void (made.cheaper = Number(value)),
  threads: key("threads"),
  virtualenv: key("python", ({ value }) => join(value, "bin/python")),
  venv: key("python", ({ value }) => join(value, "bin/python")),
  home: key("python", ({ value }) => join(value, "bin/python")),
  pyhome: key("python", ({ value }) => join(value, "bin/python")),
  chdir: key("dir", ({ value }) => value),
  chdir2: key("dir", ({ value }) => value),
  harakiri: key("timeout", ({ value }) => seconds(numberOr(value))),
  "max-requests": key("max_requests"),
  "max-requests-delta": key("max_requests_jitter"),
  "max-worker-lifetime": key("lifetime", ({ value }) => seconds(numberOr(value))),
  "reload-on-rss": key("max_memory", ({ value }) => `${value}mb`),
  "evil-reload-on-rss": key("max_memory", ({ value }) => `${value}mb`),
  logto: key("log", ({ value }) => value),
  daemonize: (made, setting) => {
    made.app.keys.set("log", setting.value)
    made.note(setting, "run edge under systemd (docs/systemd.md); the app's output goes to the file still")
  },
  uid: server("user"),
  gid: server("group"),
  pidfile: server("pid_file"),
  pidfile2: server("pid_file"),
  "limit-as": rlimit("as", "mb"),
  "max-fd": rlimit("nofile"),
  "limit-nproc": rlimit("nproc"),
  prio: key("nice"),
  "limit-post": (made, { value }) => limit(made, "body", `${value}b`),
  "buffer-size": (made, { value }) => {
    if (Number(value) > 16_384) limit(made, "head", `${Math.ceil(Number(value) / 1024)}kb`)
  },
  "disable-logging": ({ site }) => void site.log.set("access", { format: "off" }),
  env: ({ app }, { value }) => {
    const at = value.indexOf("=")
    if (at > 0) app.env.set(value.slice(0, at), value.slice(at + 1))
  },
  pythonpath: (made, { value }) => void made.paths.push(value),
  "python-path": (made, { value }) => void made.paths.push(value),
  pp: (made, { value }) => void made.paths.push(value),
  "lazy-apps": made => void (made.lazy = true),
  "static-map": ({ site }, { value }) => {
    const at = value.indexOf("=")
    site.routes.push(new Map<string, Value>([["path", `${value.slice(0, at).replace(/\/$/, "")}/*`], ["static", { root: value.slice(at + 1) }]]))
  },
  "check-static": ({ site }, { value }) => void site.routes.push(new Map<string, Value>([["static", { root: value }]])),
  "static-index": (made, setting) => made.note(setting, "`static` has index.html as its index; others: static = { index = [...] }"),
  "attach-daemon": (made, setting) => daemon(made, setting.value),
  "attach-daemon2": (made, setting) => daemon(made, /(?:^|,)(?:cmd|exec)=(.*)$/.exec(setting.value)?.[1] ?? setting.value),
  "smart-attach-daemon": (made, setting) => daemon(made, setting.value.replace(/^\S+\s+/, "")),
  cron: ({ app }, { value }) => cron(app, value),
  "unique-cron": ({ app }, { value }) => cron(app, value),
}

function daemon({ app }: Made, command: string): void {
  const words = command.split(/\s+/)
  const name = basename(words[0] ?? "daemon").replaceAll(/[^\w.-]/g, "") || "daemon"
  const free = app.daemons.has(name) ? `${name}-${app.daemons.size}` : name
  app.daemons.set(free, new Map<string, Value>([["command", shell(command)]]))
}

/** "59 2 -1 -1 -1 command": minute hour day month weekday; -1 is every, -5 every fifth. */
function cron(app: AdaptedApp, line: string): void {
  const words = line.split(/\s+/)
  const at = words.slice(0, 5).map((word, i) => (word === "-1" ? "*" : word.startsWith("-") ? `*/${word.slice(1)}` : i === 2 && word === "0" ? "*" : word))
  app.cron.push(new Map<string, Value>([["at", at.join(" ")], ["command", shell(words.slice(5).join(" "))]]))
}

/** As a list of words; what needs a shell gets one. */
function shell(command: string): string[] {
  return /["'$`|&;<>*?()\\]/.test(command) ? ["sh", "-c", command] : command.split(/\s+/).filter(Boolean)
}

function finish(made: Made): void {
  const { app, site, paths } = made
  const entry = entryOf(made)
  const name = nameOf(entry ?? made.mounts[0]?.entry ?? "app")
  const main = { ...app, name }
  site.apps.push(main)
  if (entry !== undefined) main.keys.set("entry", entry)
  else if (made.mounts.length > 0) main.keys.set("entry", mountEntry(made.mounts[0]!.entry))
  else {
    main.keys.set("entry", "app:application")
    site.notes.push({ setting: "module", why: "there is no application in the file: write it into `entry`" })
  }
  site.site.set("listen", made.listen.length > 0 ? made.listen : ["127.0.0.1:8080"])
  if (made.processes !== undefined) main.keys.set("workers", made.cheaper === undefined ? made.processes : { min: made.cheaper, max: made.processes })
  // uWSGI forks after it has loaded the app, unless told otherwise.
  if (made.lazy !== true) main.keys.set("preload", true)
  if (paths.length > 0) main.env.set("PYTHONPATH", paths.join(":"))
  mountApps(made, main)
  if (entry !== undefined || made.mounts.length === 0) site.routes.push(new Map<string, Value>([["app", name]]))
}

/** Each mounted application is an app of its own, below its prefix. */
function mountApps({ site, mounts }: Made, main: AdaptedApp): void {
  mounts.forEach(({ path, entry }, i) => {
    let app = main
    if (i > 0 || main.keys.get("entry") !== mountEntry(entry)) {
      const name = nameOf(entry)
      app = { ...newApp(site.apps.some(other => other.name === name) ? `${name}-${i + 1}` : name), env: main.env }
      for (const [key, value] of main.keys) app.keys.set(key, value)
      app.keys.set("entry", mountEntry(entry))
      site.apps.push(app)
    }
    const prefix = path.replace(/\/$/, "")
    const route = prefix === "" ? [] : ([["path", `${prefix}/*`], ["strip", prefix]] as [string, Value][])
    site.routes.push(new Map<string, Value>([...route, ["app", app.name]]))
  })
}

function mountEntry(entry: string): string {
  return entry.endsWith(".py") ? moduleOf(entry, undefined) : entry
}

/** "module" with or without ":callable", or a file, as "module:callable". */
function entryOf({ app, file, module, callable }: Made): string | undefined {
  const name = module ?? (file === undefined ? undefined : moduleOf(file, app))
  if (name === undefined) return undefined
  return name.includes(":") || callable === undefined ? (name.includes(":") ? name : `${name}:application`) : `${name}:${callable}`
}

/** `shop/wsgi.py` below the app's folder is the module shop.wsgi; a file elsewhere brings its folder with it. */
function moduleOf(file: string, app: AdaptedApp | undefined): string {
  let path = file
  const dir = app?.keys.get("dir")
  if (isAbsolute(path) && typeof dir === "string") path = relative(dir, path)
  if ((isAbsolute(path) || path.startsWith("..")) && app !== undefined) {
    app.keys.set("dir", dirname(file))
    path = basename(file)
  }
  return path.replace(/\.(?:py|wsgi)$/, "").replaceAll("/", ".").replace(/^\.+/, "")
}

function numberOr(value: string): Value {
  return /^-?\d+$/.test(value) ? Number(value) : value
}
