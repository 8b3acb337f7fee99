import { validName } from "../codec/fields.ts"
import { isHopByHop } from "../codec/hop.ts"
import type { HeaderList } from "../message/headers.ts"

const Native = globalThis.Headers

/**
 * The standard Headers of a request, read where they lie: a native one costs 0.9 us, and most apps look up one or two
 * names. It is `instanceof Headers`, native code reads it as the sequence it is, and whatever changes or lists the
 * headers is left to a native one made on first use.
 */
export class LazyHeaders {
  readonly #list: HeaderList
  #native: Headers | undefined

  constructor(list: HeaderList) {
    this.#list = list
  }

  get native(): Headers {
    return (this.#native ??= toNative(this.#list))
  }

  get(name: string): string | null {
    if (this.#native !== undefined) return this.#native.get(name)
    if (isHopByHop(name) && !isSwitch(name, this.#list)) return null
    const found = isCookie(name) ? (this.#list.getAll(name).join("; ") || null) : this.#list.get(name)
    if (found === null) checkName(name)
    return found
  }

  has(name: string): boolean {
    if (this.#native !== undefined) return this.#native.has(name)
    if (this.#list.has(name)) return !isHopByHop(name) || isSwitch(name, this.#list)
    checkName(name)
    return false
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.native.entries() as IterableIterator<[string, string]>
  }

  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    return this.native
  }
}

// All that a native one can do else (set, forEach, entries, getSetCookie, count, ...), by way of a native one.
for (const [name, own] of Object.entries(Object.getOwnPropertyDescriptors(Native.prototype))) {
  if (Object.hasOwn(LazyHeaders.prototype, name)) continue
  const forward =
    own.get === undefined
      ? {
          writable: true,
          value(this: LazyHeaders, ...args: [never]): unknown {
            return this.native[name as "get"](...args)
          },
        }
      : {
          get(this: LazyHeaders): unknown {
            return this.native[name as "count"]
          },
        }
  Object.defineProperty(LazyHeaders.prototype, name, { configurable: true, ...forward })
}
Object.defineProperty(LazyHeaders.prototype, "constructor", { value: Native, configurable: true, writable: true })
Object.setPrototypeOf(LazyHeaders.prototype, Native.prototype)

export function lazyHeaders(list: HeaderList): Headers {
  return new LazyHeaders(list) as unknown as Headers
}

function toNative(list: HeaderList): Headers {
  const { flat } = list
  const record: Record<string, string> = Object.create(null) as Record<string, string>
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase()
    if (isHopByHop(name) && !isSwitch(name, list)) continue
    const before = record[name]
    // RFC 9110, 5.3; RFC 6265, 5.4 for cookies.
    record[name] = before === undefined ? flat[i + 1]! : before + (isCookie(name) ? "; " : ", ") + flat[i + 1]
  }
  return new Native(record)
}

/**
 * Fields of the client's connection are none of the app's business, which gets the same inside a front as in a worker (frames/heads.ts);
 * but those of a handshake, which apps look at before they upgrade.
 */
function isSwitch(name: string, list: HeaderList): boolean {
  return /^(?:connection|upgrade)$/i.test(name) && list.get("upgrade")?.toLowerCase() === "websocket"
}

function isCookie(name: string): boolean {
  return name.length === 6 && name.toLowerCase() === "cookie"
}

/** Names that were asked for and are good: an app has few, and asks again. */
const good = new Set<string>()
const mostGood = 500

function checkName(name: string): void {
  if (good.has(name)) return
  if (!validName(name)) throw new TypeError(`Header name ${JSON.stringify(name)} is not valid`)
  if (good.size < mostGood) good.add(name)
}
