import { oneOf } from "../db/compare.ts"
import type { AnyModel } from "../db/model.ts"
import { Group, Permission, User, type UserRow } from "./models.ts"

/** What may be done to the rows of a model. Apps may name others: `can(user, "publish", Post)`. */
export type Operation = "view" | "add" | "change" | "delete" | (string & {})
export const OPERATIONS = ["view", "add", "change", "delete"] as const

type RowOf<M extends AnyModel> = Awaited<ReturnType<M["get"]>>

/**
 * Decides for one row, or, without a row, for the model as a whole ("may this user see the list at all?"). True and false
 * are final for everybody but superusers; undefined leaves it to the permissions.
 */
export type Policy<M extends AnyModel> = (user: UserRow | null, operation: Operation, row: RowOf<M> | undefined) => boolean | undefined | Promise<boolean | undefined>

const policies = new WeakMap<AnyModel, Policy<AnyModel>>()

/** Permissions by object: `policy(Post, (user, operation, post) => post && post.authorId === user?.id ? true : undefined)`. */
export function policy<M extends AnyModel>(model: M, decide: Policy<M>): void {
  policies.set(model, decide as Policy<AnyModel>)
}

/** Whether rows of the model are decided one by one. */
export function hasPolicy(model: AnyModel): boolean {
  return policies.has(model)
}

/** Whether `user` may do `operation`: to `row`, or to rows of the model at all. Nobody (null) may only what a policy allows. */
export async function can(user: UserRow | null | undefined, operation: Operation, model: AnyModel, row?: object): Promise<boolean> {
  const who = user?.isActive === true ? user : null
  if (who?.isSuperuser === true) return true
  const decided = await policies.get(model)?.(who, operation, row as never)
  if (decided !== undefined) return decided
  return who !== null && (await permissionsOf(who)).has(permissionName(operation, model))
}

/** Like `can` for a permission by its name, as an app's own ones: "newsletter.send". */
export async function hasPermission(user: UserRow | null | undefined, name: string): Promise<boolean> {
  if (user?.isActive !== true) return false
  return user.isSuperuser || (await permissionsOf(user)).has(name)
}

export function permissionName(operation: Operation, model: AnyModel): string {
  return `${model.name}.${operation}`
}

/** Asked once for each row object, so once for a request however many checks a page makes. */
const known = new WeakMap<UserRow, Promise<ReadonlySet<string>>>()

/** Names of all permissions of a user, the groups' too. Superusers have every one without being in the list. */
export function permissionsOf(user: UserRow): Promise<ReadonlySet<string>> {
  let found = known.get(user)
  if (found === undefined) {
    found = load(user.id)
    known.set(user, found)
    // An error is not to be remembered.
    found.catch(() => known.delete(user))
  }
  return found
}

async function load(id: number): Promise<ReadonlySet<string>> {
  const user = await User.all.with("permissions", "groups").where({ id }).first()
  if (user === null) return new Set()
  const groups = user.groups.length === 0 ? [] : await Group.all.with("permissions").where({ id: oneOf(user.groups.map(group => group.id)) })
  return new Set([...user.permissions, ...groups.flatMap(group => group.permissions)].map(permission => permission.name))
}

/** Permissions that an app has beside those of its models, name -> what it lets people do. */
export type ExtraPermissions = Readonly<Record<string, string>>

/** Name and words of every permission of these models. */
export function permissionsFor(models: readonly AnyModel[], extra: ExtraPermissions = {}): { name: string; label: string }[] {
  const made = models
    .filter(model => model.options.internal !== true)
    .flatMap(model => OPERATIONS.map(operation => ({ name: permissionName(operation, model), label: `${model.label}: can ${operation}` })))
  return [...made, ...Object.entries(extra).map(([name, label]) => ({ name, label }))]
}

/** Makes the rows that are missing. Rows of models that are gone stay: a group keeps its rights when a model comes back. */
export async function syncPermissions(models: readonly AnyModel[], extra: ExtraPermissions = {}): Promise<number> {
  const have = new Set(await Permission.all.pluck("name"))
  const missing = permissionsFor(models, extra).filter(permission => !have.has(permission.name))
  for (const permission of missing) {
    // Another worker may have made it meanwhile.
    await Permission.create(permission).catch(async error => {
      if (!(await Permission.where({ name: permission.name }).exists())) throw error
    })
  }
  return missing.length
}
