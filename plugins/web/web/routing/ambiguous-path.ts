import type { Exchange } from "edge"
import { decodedReadings, dottedReadings, encodePath, HttpError } from "edge"

/**
 * The exchange whose target every server behind us takes for what the routes see; `routesOf` names the routes of a path.
 * Throws 400 where escaped separators or path parameters would lead to another route (`/admin%2Fsecret` past the rule for
 * `/admin/*`); where dot segments would (`/admin/../x` to a framework that resolves none), the target goes on resolved.
 */
export function unambiguous(x: Exchange, routesOf: (path: string) => string): Exchange {
  let routes: string | undefined
  const differs = (path: string | null): boolean => path === null || routesOf(path) !== (routes ??= routesOf(x.path))
  const sent = dottedReadings(x).some(differs) ? x.with({ target: encodePath(x.path) + (x.query === "" ? "" : `?${x.query}`) }) : x
  if (decodedReadings(sent).some(differs)) throw new HttpError(400, "a path that a server behind could take for that of another route")
  return sent
}
