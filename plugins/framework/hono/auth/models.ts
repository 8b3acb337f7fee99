import * as v from "valibot"
import { emailAddress } from "../db/email-address.ts"
import { boolean, datetime, email, integer, json, many, references, text } from "../db/fields.ts"
import { model } from "../db/model.ts"

/** One right, named "<model>.<action>": rows are made from the models (permissions.ts). */
export const Permission = model(
  "permission",
  { name: text({ max: 100, unique: true, search: true }), label: text({ max: 150, search: true }) },
  { table: "permissions", title: row => row.label, order: ["name"] },
)

export const Group = model(
  "group",
  { name: text({ max: 150, unique: true, search: true }), permissions: many(Permission) },
  { table: "groups", order: ["name"] },
)

/** Small letters: `Ann@x.org` and `ann@x.org` are one mailbox with every provider that people use. */
const address = v.pipe(emailAddress, v.toLowerCase())

/** One line: a name goes into mails and pages, where a line end could begin something else. */
const oneLine = v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(150), v.regex(/^\P{Cc}*$/u, "Has a character that a name cannot have."))

/** What the three switches and the dates are not: fields that a visitor may set. Sign-up takes e-mail and name only. */
export const User = model(
  "user",
  {
    email: { ...email({ label: "E-mail", unique: true, search: true }), schema: address },
    name: { ...text({ max: 150, search: true }), schema: oneLine },
    isActive: boolean({ label: "Active", default: true, filter: true, help: "Switched off, nobody can be logged in as this user. Better than deleting." }),
    isStaff: boolean({ label: "Staff", default: false, filter: true, help: "May log in to the admin." }),
    isSuperuser: boolean({ label: "Superuser", default: false, filter: true, help: "Has every permission." }),
    groups: many(Group),
    permissions: many(Permission, { help: "Beside those of the groups." }),
    joinedAt: datetime({ label: "Joined", default: () => new Date(), editable: false }),
    lastLogin: datetime({ optional: true, editable: false }),
    emailVerifiedAt: datetime({ label: "E-mail verified", optional: true, editable: false }),
  },
  { table: "users", title: row => row.name || row.email, order: ["email"] },
)

// What follows is auth's own: secrets stay out of the user's row, so that `c.json(user)` cannot leak one. -------------

/** The hash of a user's password; none: the user cannot log in with one. */
export const Password = model(
  "password",
  { user: references(User, { onDelete: "cascade" }), hash: text({ max: 500 }), changedAt: datetime({ default: () => new Date() }) },
  { table: "auth_passwords", internal: true, indexes: [{ fields: ["user"], unique: true }] },
)

/** A link in a mail, good once. */
export const Token = model(
  "authToken",
  {
    hash: text({ max: 64, unique: true }),
    purpose: text({ max: 20 }),
    user: references(User, { optional: true, onDelete: "cascade" }),
    email: text({ max: 254 }),
    data: json<Record<string, string>>({ default: () => ({}) }),
    expiresAt: datetime({ index: true }),
  },
  { table: "auth_tokens", internal: true },
)

/** Attempts counted under one key since `since` (ms). */
export const Throttle = model(
  "throttle",
  { key: text({ max: 64, unique: true }), count: integer({ default: 0 }), since: integer({ index: true }) },
  { table: "auth_throttle", internal: true },
)

/** A user's authenticator app. `secret` is encrypted; `counter` is the last time step that was used. */
export const SecondFactor = model(
  "secondFactor",
  {
    user: references(User, { onDelete: "cascade" }),
    secret: text({ max: 200 }),
    counter: integer({ default: 0 }),
    createdAt: datetime({ default: () => new Date() }),
  },
  { table: "auth_second_factors", internal: true, indexes: [{ fields: ["user"], unique: true }] },
)

/** For when the telephone is lost; each good once. */
export const RecoveryCode = model(
  "recoveryCode",
  { user: references(User, { onDelete: "cascade" }), hash: text({ max: 64 }) },
  { table: "auth_recovery_codes", internal: true },
)

export const authModels = [Permission, Group, User, Password, Token, Throttle, SecondFactor, RecoveryCode] as const

export type UserRow = Awaited<ReturnType<typeof User.get>>
