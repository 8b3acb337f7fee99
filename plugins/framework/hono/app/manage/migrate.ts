import type { AppCommand } from "../part.ts"
import { options } from "./args.ts"
import { modelsDiffer, standingOf } from "../migrations.ts"

export const migrate: AppCommand = {
  name: "migrate",
  help: "brings the database up to date; --check only says, with exit code 1, that it is not or that models and migrations differ",
  async run(args, app) {
    const { values } = options(args, { check: { type: "boolean" } })
    const { waiting, all, runner } = await standingOf(app)
    if (values.check === true) {
      const differs = await modelsDiffer(app)
      for (const { name } of waiting) console.log(`to be applied: ${name}`)
      if (differs) console.log(`the models have changed since ${all.at(-1)?.name ?? "the beginning"}: edge manage ${app.booted.name} makemigrations`)
      if (!differs && waiting.length === 0) console.log("up to date")
      return differs || waiting.length > 0 ? 1 : 0
    }
    for (const migration of waiting) {
      const fresh = await runner.apply(migration)
      console.log(`${migration.name}: ${fresh ? "applied" : "applied by another process meanwhile"}`)
    }
    if (waiting.length === 0) console.log(all.length === 0 ? `there are no migrations yet: edge manage ${app.booted.name} makemigrations` : "nothing to apply")
    return 0
  },
}
