import { randomBytes } from "node:crypto"
import { slugify } from "../db/slug.ts"
import { extensionOf } from "./sniff.ts"

/** What a key looks like: nothing that a path, a header or HTML could take for something else. */
const KEY = /^\d{4}\/\d{2}\/[a-z0-9-]{1,80}\.[a-z0-9]{1,8}$/

/**
 * "2026/11/holiday-photo-k3v9x2m4p8qa.jpg". The end comes from the type that the bytes show, never from the client: a
 * name like `x.php`, `x.html` or `../x` is the attack. 60 random bits: keys of private files cannot be guessed.
 */
export function makeKey(type: string, name = "", now = new Date()): string {
  const base = slugify(name.replace(/\.[^.]*$/, ""), 48)
  const random = BigInt(`0x${randomBytes(8).toString("hex")}`).toString(36).padStart(13, "0").slice(-12)
  const month = String(now.getUTCMonth() + 1).padStart(2, "0")
  return `${now.getUTCFullYear()}/${month}/${base === "" ? random : `${base}-${random}`}.${extensionOf(type)}`
}

export function isKey(key: string): boolean {
  return KEY.test(key)
}

export function extension(key: string): string {
  return key.slice(key.lastIndexOf(".") + 1)
}
