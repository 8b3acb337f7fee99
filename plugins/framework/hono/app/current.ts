import { AsyncLocalStorage } from "node:async_hooks"
import type { AnyApp } from "./app.ts"

/** The app of this process; several, when fronts run more than one inline: then each request says whose it is. */
const running = new Set<AnyApp>()
const scoped = new AsyncLocalStorage<AnyApp>()
let only: AnyApp | undefined

export function isAlone(): boolean {
  return running.size <= 1
}

export function enter(app: AnyApp): void {
  running.add(app)
  only = app
}
/** Gives the app that is then the process's own, if any is left. */
export function leave(app: AnyApp): AnyApp | undefined {
  running.delete(app)
  only = [...running].at(-1)
  return only
}

export function within<T>(app: AnyApp, f: () => T): T {
  return scoped.run(app, f)
}

/** The app that is running. */
export function currentApp(): AnyApp {
  const app = scoped.getStore() ?? only
  if (app === undefined) throw new Error("no app is running: this works in handlers, pages and commands")
  return app
}

/** URL of a file in the app's `static/` folder, with its content's hash: `<link href={asset("style.css")}>`. */
export function asset(path: string): string {
  return currentApp().asset(path)
}
