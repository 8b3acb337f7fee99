import type { AnyApp } from "../app/app.ts"
import { Permission } from "../auth/models.ts"
import type { AnyModel } from "../db/model.ts"
import { didYouMean } from "edge"
import type { ModelAdmins } from "./model/access.ts"
import { accountDefaults } from "./model/accounts.ts"
import { ModelAdmin } from "./model/model-admin.ts"
import { Change } from "./history/change.ts"
import type { AdminPage, AdminSettings, Panel } from "./model/settings.ts"

/** The admin of one app: its models, their order, and where everything is. Made once. */
export class AdminSite implements ModelAdmins {
  readonly path: string
  readonly zone: string
  readonly modelAdmins: ReadonlyMap<string, ModelAdmin>
  readonly groups: readonly { readonly title: string; readonly modelAdmins: readonly ModelAdmin[] }[]
  readonly #byModel: ReadonlyMap<AnyModel, ModelAdmin>

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
    const modelAdmins = models.flatMap(model => {
      const given = settings.models?.[model.name]
      if (given === false || (given === undefined && model === (Permission as AnyModel))) return []
      return [new ModelAdmin(model, { ...accountDefaults(model), ...given })]
    })
    this.modelAdmins = new Map(modelAdmins.map(modelAdmin => [modelAdmin.name, modelAdmin]))
    const inner = modelAdmins.flatMap(modelAdmin => modelAdmin.inlines.map(inline => inline.model)).filter(model => !modelAdmins.some(modelAdmin => modelAdmin.model === model))
    // Permissions are made by the models: chosen in the form of a group, and no page of their own.
    const unlisted = new Set([...inner, ...(models.includes(Permission) && !modelAdmins.some(modelAdmin => modelAdmin.model === (Permission as AnyModel)) ? [Permission as AnyModel] : [])])
    this.#byModel = new Map([...modelAdmins, ...[...unlisted].map(model => new ModelAdmin(model, accountDefaults(model) ?? {}, false))].map(modelAdmin => [modelAdmin.model, modelAdmin]))
    this.groups = this.#grouped(modelAdmins)
    for (const page of this.pages) if (!/^[a-z0-9][\w-]*$/i.test(page.path)) throw new Error(`admin: page "${page.path}": its path has only letters, digits, - and _`)
  }

  of(model: AnyModel): ModelAdmin | undefined {
    return this.#byModel.get(model)
  }

  /** A model without pages of its own, by name. */
  inner(name: string): ModelAdmin | undefined {
    return [...this.#byModel.values()].find(modelAdmin => !modelAdmin.listed && modelAdmin.name === name)
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

  /** Path within the admin: `to(modelAdmin, 5, "delete")`. */
  to(modelAdmin: ModelAdmin, ...rest: readonly (string | number)[]): string {
    return [this.path, modelAdmin.name, ...rest].join("/")
  }
  /** Path of what belongs to no model; no model's name begins with "-". */
  aside(...rest: readonly string[]): string {
    return [this.path, "-", ...rest].join("/")
  }

  #grouped(modelAdmins: readonly ModelAdmin[]): { title: string; modelAdmins: ModelAdmin[] }[] {
    const given = Object.entries(this.settings.groups ?? {}).map(([title, names]) => ({ title, modelAdmins: names.flatMap(name => modelAdmins.find(modelAdmin => modelAdmin.name === name) ?? []) }))
    const placed = new Set(given.flatMap(group => group.modelAdmins))
    const own = this.app.given.models ?? []
    const rest = modelAdmins.filter(modelAdmin => !placed.has(modelAdmin))
    const content = { title: "Content", modelAdmins: rest.filter(modelAdmin => own.includes(modelAdmin.model)) }
    const accounts = { title: "Accounts", modelAdmins: rest.filter(modelAdmin => !own.includes(modelAdmin.model) && accountDefaults(modelAdmin.model) !== undefined) }
    const others = { title: "Other", modelAdmins: rest.filter(modelAdmin => !content.modelAdmins.includes(modelAdmin) && !accounts.modelAdmins.includes(modelAdmin)) }
    return [...given, content, others, accounts].filter(group => group.modelAdmins.length > 0)
  }
}

function checkZone(zone: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone
  } catch {
    throw new Error(`admin: there is no time zone "${zone}"; names are like "Europe/Warsaw"`)
  }
}
