import type { AnyApp } from "../app/app.ts"
import { Permission } from "../auth/models.ts"
import type { AnyModel } from "../db/model.ts"
import { didYouMean } from "edge"
import type { Desks } from "./model/access.ts"
import { accountDefaults } from "./model/accounts.ts"
import { Desk } from "./model/model-admin.ts"
import { Change } from "./history/change.ts"
import type { AdminPage, AdminSettings, Panel } from "./model/settings.ts"

/** The admin of one app: its desks, their order, and where everything is. Made once. */
export class AdminSite implements Desks {
  readonly path: string
  readonly zone: string
  readonly desks: ReadonlyMap<string, Desk>
  readonly groups: readonly { readonly title: string; readonly desks: readonly Desk[] }[]
  readonly #byModel: ReadonlyMap<AnyModel, Desk>

  constructor(
    readonly app: AnyApp,
    readonly settings: AdminSettings,
  ) {
    this.path = `/${(settings.path ?? "/admin").replaceAll(/^\/+|\/+$/g, "")}`
    if (this.path === "/" || /[^\w/-]/.test(this.path)) throw new Error(`admin: path "${settings.path}": say where it lives, as "/admin"`)
    this.zone = checkZone(settings.timeZone ?? "UTC")
    const models = app.models.filter(model => model.options.internal !== true && model !== (Change as AnyModel))
    for (const name of [...Object.keys(settings.models ?? {}), ...Object.values(settings.groups ?? {}).flat()]) {
      if (!models.some(model => model.name === name)) throw new Error(`admin: there is no model "${name}"${didYouMean(name, models.map(model => model.name))}`)
    }
    const desks = models.flatMap(model => {
      const given = settings.models?.[model.name]
      if (given === false || (given === undefined && model === (Permission as AnyModel))) return []
      return [new Desk(model, { ...accountDefaults(model), ...given })]
    })
    this.desks = new Map(desks.map(desk => [desk.name, desk]))
    const inner = desks.flatMap(desk => desk.inlines.map(inline => inline.model)).filter(model => !desks.some(desk => desk.model === model))
    // Permissions are made by the models: chosen in the form of a group, and no page of their own.
    const unlisted = new Set([...inner, ...(models.includes(Permission) && !desks.some(desk => desk.model === (Permission as AnyModel)) ? [Permission as AnyModel] : [])])
    this.#byModel = new Map([...desks, ...[...unlisted].map(model => new Desk(model, accountDefaults(model) ?? {}, false))].map(desk => [desk.model, desk]))
    this.groups = this.#grouped(desks)
    for (const page of this.pages) if (!/^[a-z0-9][\w-]*$/i.test(page.path)) throw new Error(`admin: page "${page.path}": its path has only letters, digits, - and _`)
  }

  of(model: AnyModel): Desk | undefined {
    return this.#byModel.get(model)
  }

  /** A desk without pages of its own, by name. */
  inner(name: string): Desk | undefined {
    return [...this.#byModel.values()].find(desk => !desk.listed && desk.name === name)
  }

  get title(): string {
    return this.settings.title ?? `${this.app.title} admin`
  }
  get panels(): readonly Panel[] {
    return this.settings.panels ?? []
  }
  get pages(): readonly AdminPage[] {
    return this.settings.pages ?? []
  }

  /** Path within the admin: `to(desk, 5, "delete")`. */
  to(desk: Desk, ...rest: readonly (string | number)[]): string {
    return [this.path, desk.name, ...rest].join("/")
  }
  /** Path of what belongs to no model; no model's name begins with "-". */
  aside(...rest: readonly string[]): string {
    return [this.path, "-", ...rest].join("/")
  }

  #grouped(desks: readonly Desk[]): { title: string; desks: Desk[] }[] {
    const given = Object.entries(this.settings.groups ?? {}).map(([title, names]) => ({ title, desks: names.flatMap(name => desks.find(desk => desk.name === name) ?? []) }))
    const placed = new Set(given.flatMap(group => group.desks))
    const own = this.app.given.models ?? []
    const rest = desks.filter(desk => !placed.has(desk))
    const content = { title: "Content", desks: rest.filter(desk => own.includes(desk.model)) }
    const accounts = { title: "Accounts", desks: rest.filter(desk => !own.includes(desk.model) && accountDefaults(desk.model) !== undefined) }
    const others = { title: "Other", desks: rest.filter(desk => !content.desks.includes(desk) && !accounts.desks.includes(desk)) }
    return [...given, content, others, accounts].filter(group => group.desks.length > 0)
  }
}

function checkZone(zone: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone
  } catch {
    throw new Error(`admin: there is no time zone "${zone}"; names are like "Europe/Warsaw"`)
  }
}
