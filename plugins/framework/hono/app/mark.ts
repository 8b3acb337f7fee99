import type { AnyApp } from "./app.ts"

/** How the framework knows an App, without loading what an App needs. */
export const MARK = Symbol.for("edge.framework.app")

export function isApp(value: unknown): value is AnyApp {
  return typeof value === "object" && value !== null && MARK in value
}
