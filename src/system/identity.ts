/** Users and groups by name: whom fronts and workers run as when edge was started as root. */
import { readFileSync } from "node:fs"

export interface Identity {
  readonly user: string
  readonly uid: number
  readonly gid: number
  /** All groups of the user, `gid` among them. */
  readonly groups: readonly number[]
  readonly home: string
}

export const isRoot = (): boolean => process.getuid?.() === 0

/** Looks a user up, and a group that replaces its own. Throws with the name that is not known. */
export function findIdentity(user: string, group?: string): Identity {
  const found = /^\d+$/.test(user) ? byNumber(Number(user)) : (inPasswd(fields => fields[0] === user) ?? byId(user))
  if (found === undefined) throw new Error(`no user named "${user}"`)
  if (group === undefined) return found
  const gid = findGroup(group)
  return { ...found, gid, groups: [gid, ...found.groups.filter(other => other !== gid)] }
}

function byNumber(uid: number): Identity {
  return inPasswd(fields => Number(fields[2]) === uid) ?? { user: String(uid), uid, gid: uid, groups: [uid], home: "/" }
}

/** Lines of /etc/passwd: name, password, uid, gid, comment, home, shell. */
function inPasswd(wanted: (fields: string[]) => boolean): Identity | undefined {
  const fields = lines("/etc/passwd").find(wanted)
  if (fields === undefined) return undefined
  const [user, uid, gid] = [fields[0]!, Number(fields[2]), Number(fields[3])]
  const others = lines("/etc/group").filter(line => line[3]?.split(",").includes(user)).map(line => Number(line[2]))
  return { user, uid, gid, groups: [...new Set([gid, ...others])], home: fields[5] ?? "/" }
}

/** Users that are not in the file (LDAP, macOS): `id` knows them. */
function byId(user: string): Identity | undefined {
  const ask = (option: string): string => {
    const { success, stdout } = Bun.spawnSync(["id", option, "--", user], { stderr: "ignore" })
    return success ? stdout.toString().trim() : ""
  }
  const uid = ask("-u")
  if (uid === "") return undefined
  return { user, uid: Number(uid), gid: Number(ask("-g")), groups: ask("-G").split(" ").map(Number), home: "/" }
}

function findGroup(group: string): number {
  if (/^\d+$/.test(group)) return Number(group)
  const fields = lines("/etc/group").find(line => line[0] === group)
  if (fields === undefined) throw new Error(`no group named "${group}"`)
  return Number(fields[2])
}

function lines(file: string): string[][] {
  try {
    return readFileSync(file, "utf8").split("\n").map(line => line.split(":")).filter(fields => fields.length > 2)
  } catch {
    return []
  }
}

/** This process becomes that user for good. Groups first: afterwards there is no right to set them. */
export function become(identity: Identity): void {
  process.setgroups!(identity.groups as number[])
  process.setgid!(identity.gid)
  process.setuid!(identity.uid)
  if (process.getuid!() !== identity.uid || canReturn()) throw new Error(`could not become ${identity.user}`)
}

function canReturn(): boolean {
  try {
    process.setuid!(0)
    return true
  } catch {
    return false
  }
}
